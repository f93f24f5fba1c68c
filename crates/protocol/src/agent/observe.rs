//! What an agent sees on a target, asked for or by itself.

use serde::{Deserialize, Serialize};

use plimsoll_core::{
    Digest, Timestamp,
    deployment::spec::Endpoint,
    id::{ReleaseId, TargetId, TaskId},
    inventory::AgentResources,
};

use super::{
    order::TargetInfo,
    report::{HealthVerdict, HeldTask, TaskError},
};

/// The body of `observe.request`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObserveRequest {
    /// Chosen by the server (an id in text); the report repeats it.
    pub request_id: String,
    /// What for.
    pub kind: ObserveKind,
    /// Where.
    pub target: TargetInfo,
    /// Answer within this many seconds, with what is known by then.
    pub deadline_seconds: u32,
}

/// What an observation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObserveKind {
    /// The engine, the host, and each component's health (checked now).
    HealthCheck,
    /// The stickers as they lie there.
    Sticker,
    /// What runs, by digest.
    Drift,
}

/// The body of `observe.report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObserveReport {
    /// Of the request.
    pub request_id: String,
    /// What was seen.
    pub seen: TargetObservation,
}

/// One target as the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetObservation {
    /// Which.
    pub target_id: TargetId,
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// The engine; absent for `process_host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<EngineInfo>,
    /// The host.
    pub resources: AgentResources,
    /// The highest epoch found there.
    pub epoch: u64,
    /// What is ours there, running or not.
    pub running: Vec<RunningComponent>,
    /// The stickers that lie there.
    #[serde(default)]
    pub stickers: Vec<PlacedSticker>,
    /// Why the target could not be looked at (in full); `running` is then not to be relied on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
}

/// A container engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EngineInfo {
    /// `docker` or `podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The API version that was agreed on.
    pub api_version: String,
}

/// One container or process of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunningComponent {
    /// Of which application; empty for one that ran before us and is to be taken over.
    pub application: String,
    /// Which component.
    pub component: String,
    /// Which of its instances, from 0.
    pub instance: u16,
    /// The container's name or the process's.
    pub name: String,
    /// By which task; absent for one that was adopted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// Of which release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The epoch at which it was made.
    pub epoch: u64,
    /// Whether it runs.
    pub state: RunState,
    /// The image id as the engine says: index, manifest or config digest, by the engine's store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_id: Option<Digest>,
    /// The digest by which we made it; absent for one made by a tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_by_digest: Option<Digest>,
    /// The component's spec, hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_hash: Option<Digest>,
    /// Its health.
    pub health: HealthVerdict,
    /// Restarts since it was made.
    pub restarts: u32,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Its published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
}

/// Whether a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Made, never started.
    Created,
    /// It runs.
    Running,
    /// It ended and is being started again.
    Restarting,
    /// It ended, or was stopped.
    Exited,
}

/// A sticker as it lies on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedSticker {
    /// Of which application (by the file's name).
    pub application: String,
    /// The file's text: a DSSE envelope, or what somebody made of it.
    pub envelope: String,
}

/// The body of `status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The host.
    pub resources: AgentResources,
    /// The tasks in hand.
    pub tasks: Vec<HeldTask>,
    /// Every target that this agent knows.
    pub targets: Vec<TargetObservation>,
}
