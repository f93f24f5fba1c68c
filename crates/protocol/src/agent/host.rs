//! The host, and how a driver reaches what runs on it.

use serde::{Deserialize, Serialize};

/// How a target is reached: its type and that type's settings. The same JSON is a target's
/// `type` and `connection`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Connection {
    /// A container engine behind its socket.
    DockerHost(DockerConnection),
    /// Plain processes.
    ProcessHost(ProcessConnection),
}

/// The settings of `docker_host`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DockerConnection {
    /// The engine's socket as an absolute path; `/var/run/docker.sock` when absent. Podman's compatible
    /// socket will do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// The directory for stickers and locks; the agent's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_directory: Option<String>,
    /// The address under which published ports are reached; what the port is bound to when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_address: Option<String>,
}

/// The settings of `process_host`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ProcessConnection {
    /// The directory for images, processes, stickers and locks; the agent's own when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_directory: Option<String>,
    /// The user that processes run as, by number; the agent's setting when absent. 0 is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<u32>,
    /// The group; the same as the user when absent. 0 is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gid: Option<u32>,
    /// The address under which ports are reached; `127.0.0.1` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_address: Option<String>,
}

/// What is left of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory that could be used now.
    pub memory_available_bytes: u64,
    /// The disk that images and stickers lie on, in bytes.
    pub disk_bytes: u64,
    /// Free on it.
    pub disk_free_bytes: u64,
    /// The load over one minute, in thousandths.
    pub load_millis: u64,
    /// The agent's clock minus the server's, in milliseconds, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
}
