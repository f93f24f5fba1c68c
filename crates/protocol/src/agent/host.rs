//! How a driver reaches what runs on a host.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use plimsoll_core::{Error, Result, inventory::TargetType};

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
    #[schema(minimum = 0, maximum = 4_294_967_294_u32)]
    pub uid: Option<u32>,
    /// The group; the same as the user when absent. 0 is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 4_294_967_294_u32)]
    pub gid: Option<u32>,
    /// The address under which ports are reached; `127.0.0.1` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advertise_address: Option<String>,
}

impl Connection {
    /// The target's type.
    #[must_use]
    pub const fn kind(&self) -> TargetType {
        match self {
            Self::DockerHost(_) => TargetType::DockerHost,
            Self::ProcessHost(_) => TargetType::ProcessHost,
        }
    }

    /// From a target's `type` and `connection`; says which field is wrong.
    pub fn parse(kind: TargetType, settings: &Value) -> Result<Self> {
        let wrong = |cause: serde_json::Error| Error::field("connection", "invalid", cause.to_string());
        match kind {
            TargetType::DockerHost => DockerConnection::deserialize(settings).map(Self::DockerHost).map_err(wrong),
            TargetType::ProcessHost => ProcessConnection::deserialize(settings).map(Self::ProcessHost).map_err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_read_by_its_type() {
        let socket = serde_json::json!({ "socket": "/run/podman/podman.sock" });
        let read = Connection::parse(TargetType::DockerHost, &socket).unwrap();
        assert_eq!(read.kind(), TargetType::DockerHost);
        assert!(Connection::parse(TargetType::ProcessHost, &socket).is_err());
    }
}
