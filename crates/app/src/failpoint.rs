//! Points at which a test ends the process. Without the feature `failpoints` they are nothing.

/// Ends the process when the test asked for this point: `PLIMSOLL_FAILPOINT=name`, or `name@n` for its n-th
/// passing.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str) {
    use std::sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    };
    static WANTED: OnceLock<Option<(String, u32)>> = OnceLock::new();
    static PASSED: AtomicU32 = AtomicU32::new(0);
    let wanted = WANTED.get_or_init(|| {
        let text = std::env::var("PLIMSOLL_FAILPOINT").ok()?;
        let (name, nth) = text.split_once('@').unwrap_or((&text, "1"));
        Some((name.to_owned(), nth.parse().unwrap_or(1)))
    });
    let Some((wanted, nth)) = wanted else { return };
    if wanted == name && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *nth {
        std::process::abort();
    }
}

/// The point at which an operation is committed and its caller does not know yet: `server::committed::<operation>`.
#[cfg(feature = "failpoints")]
pub fn committed(operation: &str) {
    hit(&format!("server::committed::{operation}"));
}

/// The point at which an agent's report of a step arrived and nothing of it is written:
/// `server::step_reported::<Kind>`.
#[cfg(feature = "failpoints")]
pub fn step_reported(step: plimsoll_protocol::agent::report::StepKind) {
    hit(&format!("server::step_reported::{step:?}"));
}

/// Nothing: the feature is off.
#[cfg(not(feature = "failpoints"))]
pub const fn hit(_: &str) {}

/// Nothing: the feature is off.
#[cfg(not(feature = "failpoints"))]
pub const fn committed(_: &str) {}

/// Nothing: the feature is off.
#[cfg(not(feature = "failpoints"))]
pub const fn step_reported(_: plimsoll_protocol::agent::report::StepKind) {}
