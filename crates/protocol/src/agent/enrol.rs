//! Register, heartbeat and token request of an agent (environments.md, authority.md).

use garde::Validate;
use serde::{Deserialize, Serialize};

use plimsoll_core::{
    Timestamp,
    id::{AgentId, TaskId},
    inventory::{AgentResources, Capability},
};

use super::{order::ServerKey, report::HeldTask};

/// The body of `POST /agents/register`; the bearer token is the registration token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterRequest {
    /// The name that people see; the host's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(min = 1, max = 63)))]
    pub name: Option<String>,
    /// The host's name.
    #[garde(length(min = 1, max = 253))]
    pub hostname: String,
    /// The agent's version.
    #[garde(length(min = 1, max = 64))]
    pub version: String,
    /// The frames that it speaks.
    #[garde(range(min = 1))]
    pub protocol_version: u32,
    /// Such as `linux`, as OCI platforms name it.
    #[garde(length(min = 1, max = 32))]
    pub os: String,
    /// Such as `amd64`, as OCI platforms name it.
    #[garde(length(min = 1, max = 32))]
    pub arch: String,
    /// What it can drive, with versions: `docker`, `podman`, `process`.
    #[serde(default)]
    #[garde(length(max = 32))]
    pub capabilities: Vec<Capability>,
    /// The agent's public key, made on the host: SubjectPublicKeyInfo in PEM, ECDSA P-256.
    #[garde(length(min = 64, max = 1024))]
    pub public_key_pem: String,
}

/// The answer to register: 201 the first time, 200 for the same token and key again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Who the agent is from now on.
    pub agent_id: AgentId,
    /// Its name.
    pub name: String,
    /// Where it gets its access tokens: an absolute URL, or a path on the same server.
    pub token_endpoint: String,
    /// The `aud` of its assertions.
    pub assertion_audience: String,
    /// Seconds between two heartbeats.
    pub heartbeat_seconds: u32,
    /// The keys with which orders and stickers are signed.
    pub server_keys: Vec<ServerKey>,
    /// The CA certificates (PEM) behind the server's certificate, to be trusted from now on; empty when the
    /// server's chain is a public one or there is no TLS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_pem: Vec<String>,
}

/// The claims of the assertion (RFC 7523) that an agent signs with ES256 and trades for an access token at the
/// token endpoint: `grant_type` is [`TOKEN_GRANT`], the JWT is `assertion`.
/// Header: `alg` ES256, `typ` JWT, no `kid`: the key is the agent's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssertionClaims {
    /// The agent.
    pub iss: AgentId,
    /// The agent again.
    pub sub: AgentId,
    /// [`Registered::assertion_audience`].
    pub aud: String,
    /// Unique to a request; a retry of the same request repeats it with the same `seq`.
    pub jti: String,
    /// Unix seconds.
    pub iat: i64,
    /// Unix seconds.
    pub exp: i64,
    /// The join sequence, from 1, on the agent's disk before it is sent: the server takes n+1, or n again
    /// with the same `jti`. An older one means that the identity was copied.
    #[serde(rename = "join_seq")]
    pub seq: u64,
}

/// `grant_type` of an agent's token request.
pub const TOKEN_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The body of `POST /agents/{id}/heartbeat`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HeartbeatRequest {
    /// How the agent finds itself.
    #[garde(skip)]
    pub status: AgentHealth,
    /// Why it is degraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(length(max = 1024)))]
    pub reason: Option<String>,
    /// The agent's version.
    #[garde(length(min = 1, max = 64))]
    pub version: String,
    /// The frames that it speaks.
    #[garde(range(min = 1))]
    pub protocol_version: u32,
    /// What it can drive.
    #[serde(default)]
    #[garde(length(max = 32))]
    pub capabilities: Vec<Capability>,
    /// The host.
    #[garde(skip)]
    pub resources: AgentResources,
    /// The tasks in hand.
    #[serde(default)]
    #[garde(length(max = 1024))]
    pub running_tasks: Vec<HeldTask>,
}

/// How an agent finds itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentHealth {
    /// All is well.
    Online,
    /// It lives, and something is missing.
    Degraded,
}

/// The answer to a heartbeat: what the server wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatAnswer {
    /// The server's clock.
    pub server_time: Timestamp,
    /// Seconds until the next heartbeat is expected.
    pub heartbeat_seconds: u32,
    /// Tasks to cancel, for an agent whose stream is down.
    #[serde(default)]
    pub cancel_tasks: Vec<TaskId>,
    /// Whether the agent should make a new key.
    #[serde(default)]
    pub rotate_key: bool,
    /// The version that it should be upgraded to; shown, never done by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upgrade_to: Option<String>,
}
