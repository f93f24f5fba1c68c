//! What people and supervisors send to a process.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// From this call on, signals of `kind` are received and no longer end the process. Called before the work begins, so
/// that none is taken for the system's default.
pub(crate) fn listen_for(kind: SignalKind) -> Result<Signal, Failure> {
    signal(kind).map_err(|cause| Failure::system(format!("signals cannot be received: {cause}")))
}
