//! Tasks as people see them.

use serde::{Deserialize, Serialize};

use super::{PlannedChange, spec::Endpoint};
use crate::{
    Digest, Timestamp,
    id::{AgentId, ComponentId, JobId, TargetId, TaskId},
    words::words,
};

/// A job's part on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Of which job.
    pub job_id: JobId,
    /// Whether it brings the release or puts back what ran before.
    pub kind: TaskKind,
    /// The task that it puts back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<TaskId>,
    /// On which target.
    pub target_id: TargetId,
    /// Its name.
    pub target_name: String,
    /// In which batch, from 0.
    pub batch: u32,
    /// The agent that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// How it stands.
    pub status: TaskStatus,
    /// How often it was offered.
    pub attempt: u32,
    /// The target's fence when it was last offered.
    pub epoch: u64,
    /// What is left on the target of a task that ended without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remains: Option<Remains>,
    /// What becomes of each component.
    pub components: Vec<TaskComponent>,
    /// When an agent took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it failed, was skipped or cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
}

/// Which way a task goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskKind {
    /// It brings the job's release.
    Forward,
    /// It puts back what ran before.
    Rollback,
}

words!(TaskKind, "kind of task", {
    Forward = "forward",
    Rollback = "rollback",
});

/// How a task stands. The moves between these are in `deployment::task_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// Not offered.
    Pending,
    /// Offered to an agent.
    Assigned,
    /// The agent works on it.
    Running,
    /// The new set is up and being watched.
    Verifying,
    /// Done.
    Succeeded,
    /// It did not work; what ran before runs again unless the error says otherwise.
    Failed,
    /// It had worked and was put back.
    RolledBack,
    /// Left out (maintenance, offline, or the job ended before its turn).
    Skipped,
    /// Stopped.
    Cancelled,
    /// It cannot be told; the target will be observed.
    Unknown,
}

words!(TaskStatus, "status of a task", {
    Pending = "pending",
    Assigned = "assigned",
    Running = "running",
    Verifying = "verifying",
    Succeeded = "succeeded",
    Failed = "failed",
    RolledBack = "rolled_back",
    Skipped = "skipped",
    Cancelled = "cancelled",
    Unknown = "unknown",
});

/// What a task that ended without success left on its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Remains {
    /// What ran before runs (again).
    Restored,
    /// Some or all of what ran before does not run.
    Changed,
}

words!(Remains, "rest of a task", {
    Restored = "restored",
    Changed = "changed",
});

/// What became of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskComponent {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub name: String,
    /// What was planned.
    pub change: PlannedChange,
    /// What ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_digest: Option<Digest>,
    /// What shall run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_digest: Option<Digest>,
    /// What runs, as the engine tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_digest: Option<Digest>,
    /// Published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// How long nothing answered, where the old one stops before the new one starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_ms: Option<u64>,
}

/// Why a task did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskError {
    /// A stable word, such as `PULL_FAILED`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Which component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The component's last lines, at most 200, masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
    /// The exit code of a container that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for its memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
}
