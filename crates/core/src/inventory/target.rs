//! Targets: the places in an environment where containers run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    deployment::spec::Endpoint,
    evidence_packet::VersionSticker,
    id::{AgentId, EnvironmentId, IntegrationId, JobId, ReleaseId, TargetId},
    label::{LabelSelector, Labels},
    words::words,
};

/// One place in an environment where containers run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Where it belongs.
    pub environment_id: EnvironmentId,
    /// A slug, unique in the environment.
    pub name: String,
    /// Of which kind.
    #[serde(rename = "type")]
    pub kind: TargetType,
    /// How it is reached, by type.
    pub connection: serde_json::Value,
    /// The agent that acts on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Or the labels by which an agent is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_selector: Option<LabelSelector>,
    /// Labels.
    pub labels: Labels,
    /// As last seen.
    pub status: TargetStatus,
    /// Whether deployments skip it.
    pub maintenance: bool,
    /// Whether what runs there must be observed before anything else is known (after a lost task).
    #[serde(default)]
    pub reconciliation_pending: bool,
    /// When its health was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_health_check_at: Option<Timestamp>,
    /// What runs there.
    pub running: Vec<RunningApplication>,
    /// Ports that its containers answer on.
    pub endpoints: Vec<Endpoint>,
    /// How its engine reaches a registry that the server reaches otherwise: `host[:port][/prefix]` by
    /// integration.
    #[schema(value_type = BTreeMap<String, String>)]
    pub registry_mirrors: BTreeMap<IntegrationId, String>,
    /// Containers of before us that may be taken over: container's name by component's name.
    pub adopt: BTreeMap<String, String>,
    /// Raised by every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Kinds of targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetType {
    /// A host with a Docker Engine or Podman socket.
    DockerHost,
    /// A host without an engine, for static executables.
    ProcessHost,
}

words!(TargetType, "type of target", {
    DockerHost = "docker_host",
    ProcessHost = "process_host",
});

/// How a target does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TargetStatus {
    /// Never seen.
    #[default]
    Unknown,
    /// All is well.
    Healthy,
    /// It works, with a shortage or a container that ails.
    Degraded,
    /// The engine or the containers fail.
    Unhealthy,
    /// Its agent does not answer.
    Unreachable,
}

words!(TargetStatus, "status of a target", {
    Unknown = "unknown",
    Healthy = "healthy",
    Degraded = "degraded",
    Unhealthy = "unhealthy",
    Unreachable = "unreachable",
});

/// One application on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunningApplication {
    /// Which application.
    pub application: String,
    /// In which release.
    pub release_id: ReleaseId,
    /// The job that brought it.
    pub deployment_job_id: JobId,
    /// Since when.
    pub since: Timestamp,
}

/// The sticker of one application: as the target holds it, and as we expect it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickerView {
    /// Which application.
    pub application: String,
    /// The DSSE envelope that the target holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<serde_json::Value>,
    /// When the target was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// How old that reading is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<i64>,
    /// The sticker that we expect there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<VersionSticker>,
    /// Whether the signature of the held one verifies; absent when nothing is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature_valid: Option<bool>,
    /// Whether both name the same release, job and digests.
    pub agrees: bool,
}
