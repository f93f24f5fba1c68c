//! The agent's wire: the frames of `WS /agents/{id}/task-stream` and the bodies of register, heartbeat
//! and token requests. Server and agent share these types (streams.md, deployments.md).
//!
//! Frames tolerate unknown fields and unknown types, so that either side may be newer by two versions.

pub mod enrol;
pub mod frame;
pub mod host;
pub mod observe;
pub mod order;
pub mod report;
pub mod secret;

pub use frame::{AgentFrame, Decoded, Envelope, ServerFrame};

/// The version of the frames that this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// The oldest version that this build still understands: two versions are kept besides the current one.
pub const OLDEST_PROTOCOL_VERSION: u32 = 1;

/// Whether an agent that speaks `version` and this build understand each other.
#[must_use]
pub const fn is_spoken(version: u32) -> bool {
    OLDEST_PROTOCOL_VERSION <= version && version <= PROTOCOL_VERSION
}

/// The largest frame either side accepts, in bytes.
pub const MAX_FRAME_BYTES: usize = 1024 * 1024;

/// The most text in one `task.log`, in bytes.
pub const MAX_LOG_CHUNK_BYTES: usize = 64 * 1024;

/// The longest that a log line waits for others before its chunk is sent, in milliseconds.
pub const LOG_CHUNK_MILLIS: u64 = 200;

/// Seconds between two heartbeats unless the server says otherwise.
pub const HEARTBEAT_SECONDS: u32 = 10;

/// Seconds that a lease lasts unless the server says otherwise.
pub const LEASE_SECONDS: u32 = 60;
