//! What a health check of a target found.

use serde::{Deserialize, Serialize};

use super::{AgentResources, TargetStatus};
use crate::{Digest, Timestamp, id::TargetId};

/// The answer of a target's agent, or that it gave none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthReport {
    /// Which target.
    pub target_id: TargetId,
    /// The verdict.
    pub status: TargetStatus,
    /// What is wrong and what to do, one sentence each.
    pub problems: Vec<String>,
    /// When the agent looked, or when we gave up.
    pub checked_at: Timestamp,
    /// How old what follows is: more than 0 where the agent did not answer, and what it saw last is shown.
    pub age_seconds: i64,
    /// The engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineHealth>,
    /// The host's means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<AgentResources>,
    /// Our containers.
    #[serde(default)]
    pub containers: Vec<ContainerHealth>,
}

/// What runs the containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineHealth {
    /// Whether it answered.
    pub reachable: bool,
    /// `Docker`, `Podman`, `process`.
    pub name: String,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What it said when it did not answer well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One of our containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ContainerHealth {
    /// The container's name.
    pub name: String,
    /// Of which application.
    pub application: String,
    /// Which component.
    pub component: String,
    /// The engine's word: `running`, `exited`, …
    pub state: String,
    /// `healthy`, `unhealthy`, `starting` or `none`.
    pub health: String,
    /// Restarts so far.
    pub restarts: u32,
    /// What runs, when it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_digest: Option<Digest>,
}
