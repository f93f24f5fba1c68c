//! Points at which a test ends the process. Without the feature `failpoints` they are nothing.

/// Ends the process when the test asked for this point (`PLIMSOLL_FAILPOINT=name`).
#[cfg(feature = "failpoints")]
pub fn hit(name: &'static str) {
    use std::sync::OnceLock;
    static WANTED: OnceLock<Option<String>> = OnceLock::new();
    let wanted = WANTED.get_or_init(|| std::env::var("PLIMSOLL_FAILPOINT").ok());
    if wanted.as_deref() == Some(name) {
        std::process::abort();
    }
}

/// Nothing: the feature is off.
#[cfg(not(feature = "failpoints"))]
pub const fn hit(_: &'static str) {}
