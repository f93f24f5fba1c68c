//! What an operator sets that use cases need.

use crate::{registry::OutboundPolicy, tasks::retention::Retention};

/// Set at start, the same for all replicas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether targets of type `process_host` may be made and used: they do not isolate.
    pub allow_process_hosts: bool,
    /// Seconds between an agent's heartbeats.
    pub heartbeat_seconds: u32,
    /// Seconds that an agent may work without hearing from the server.
    pub lease_seconds: u32,
    /// Where calls to integrations may go.
    pub outbound: OutboundPolicy,
    /// How long what is kept.
    pub retention: Retention,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            allow_process_hosts: false,
            heartbeat_seconds: 10,
            lease_seconds: 60,
            outbound: OutboundPolicy::default(),
            retention: Retention::default(),
        }
    }
}
