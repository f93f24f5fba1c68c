//! Named points at which a test may kill the agent. Without the feature `failpoints` they are nothing.

/// Every point, for tests to go through.
pub const POINTS: &[&str] = &[
    "agent::offer_received",
    "agent::journal_written",
    "agent::ack_sent",
    "agent::step_begun",
    "agent::pulled",
    "agent::made",
    "agent::started",
    "agent::healthy",
    "agent::switched",
    "agent::old_stopped",
    "agent::settled",
    "agent::sticker_placed",
    "agent::discarded",
    "agent::result_journaled",
    "agent::result_sent",
    "agent::undo_begun",
    "agent::undone",
];

/// Arms the point named by `PLIMSOLL_FAILPOINT` (`name`, or `name@n` for its n-th passing): the process
/// aborts there as if it were killed. Says so when the build has no fail points.
pub fn arm() -> anyhow::Result<()> {
    let Ok(wanted) = std::env::var("PLIMSOLL_FAILPOINT") else {
        return Ok(());
    };
    arm_point(&wanted)
}

#[cfg(feature = "failpoints")]
fn arm_point(wanted: &str) -> anyhow::Result<()> {
    use std::sync::atomic::{AtomicU32, Ordering};

    let (name, nth) = match wanted.split_once('@') {
        Some((name, nth)) => (name, nth.parse::<u32>()?),
        None => (wanted, 1),
    };
    anyhow::ensure!(POINTS.contains(&name), "there is no fail point {name:?}; there are: {}", POINTS.join(", "));
    let passed = AtomicU32::new(0);
    fail::cfg_callback(name, move || {
        if passed.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            std::process::abort();
        }
    })
    .map_err(|cause| anyhow::anyhow!("the fail point could not be armed: {cause}"))
}

#[cfg(not(feature = "failpoints"))]
fn arm_point(wanted: &str) -> anyhow::Result<()> {
    anyhow::bail!("PLIMSOLL_FAILPOINT={wanted} is set, but this build has no fail points (feature `failpoints`)")
}
