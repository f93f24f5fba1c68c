//! Deployment jobs and rollbacks as people see them.

use serde::{Deserialize, Serialize};

use super::{Plan, TaskStatus, rollout::BatchProgress};
use crate::{
    Timestamp,
    actor::Actor,
    environment::Strategy,
    id::{EnvironmentId, EvidencePacketId, JobId, PromotionId, ReleaseId, TargetId, TaskId},
    words::words,
};

/// The carrying out of a promotion or rollback on all targets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentJob {
    /// Its id.
    pub id: JobId,
    /// What for.
    pub kind: JobKind,
    /// The promotion that it carries out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The release that comes.
    pub release_id: ReleaseId,
    /// Its version, for people.
    pub release_version: String,
    /// The release that ran before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_release_id: Option<ReleaseId>,
    /// The release's application.
    pub application: String,
    /// Where.
    pub environment_id: EnvironmentId,
    /// How the targets are gone over.
    pub strategy: Strategy,
    /// How it stands.
    pub status: JobStatus,
    /// What it does.
    pub plan: Plan,
    /// How far it is.
    pub progress: Progress,
    /// The batch that it is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchProgress>,
    /// Who is behind it.
    pub requested_by: Actor,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the first task was offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<JobFailure>,
    /// Who stopped it, and how it shall end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancellation: Option<Cancellation>,
    /// The records of it.
    pub evidence_packet_ids: Vec<EvidencePacketId>,
    /// Raised by every change.
    pub revision: i64,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What a job is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// A promotion.
    Deploy,
    /// Going back.
    Rollback,
    /// Once more what runs there.
    Redeploy,
}

words!(JobKind, "kind of job", {
    Deploy = "deploy",
    Rollback = "rollback",
    Redeploy = "redeploy",
});

/// How a job stands. The moves between these are in `deployment::job_state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobStatus {
    /// Waits for its turn.
    Queued,
    /// Tasks are in hand.
    Running,
    /// A person holds it; tasks in hand finish.
    Paused,
    /// Every target is done.
    Succeeded,
    /// It ended, and not well.
    Failed,
    /// A person stopped it; tasks in hand come to an end.
    Cancelling,
    /// It was stopped.
    Cancelled,
    /// It failed or was stopped, and every changed target was put back.
    RolledBack,
}

words!(JobStatus, "status of a job", {
    Queued = "queued",
    Running = "running",
    Paused = "paused",
    Succeeded = "succeeded",
    Failed = "failed",
    Cancelling = "cancelling",
    Cancelled = "cancelled",
    RolledBack = "rolled_back",
});

/// Why a job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobFailure {
    /// A stable word, such as `HEALTH_CHECK_FAILED`.
    pub code: String,
    /// For a person.
    pub message: String,
    /// The first task that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
}

/// That a job was stopped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cancellation {
    /// Who stopped it first.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What becomes of targets that have the new release already; the last call tells.
    pub mode: CancelMode,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What becomes of finished targets when a job is stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CancelMode {
    /// They keep the new release.
    #[default]
    Keep,
    /// They are put back.
    Rollback,
}

impl CancelMode {
    /// From the flag of a request.
    #[must_use]
    pub const fn putting_back(rollback: bool) -> Self {
        if rollback { Self::Rollback } else { Self::Keep }
    }
}

/// Tasks counted by status. Tasks that put something back are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// All of the job's forward tasks.
    pub total: u32,
    /// Not offered.
    pub pending: u32,
    /// Offered.
    pub assigned: u32,
    /// In work.
    pub running: u32,
    /// Being watched.
    pub verifying: u32,
    /// Done.
    pub succeeded: u32,
    /// Failed.
    pub failed: u32,
    /// Put back.
    pub rolled_back: u32,
    /// Left out.
    pub skipped: u32,
    /// Stopped.
    pub cancelled: u32,
    /// It cannot be told.
    pub unknown: u32,
}

impl Progress {
    /// Counts `statuses` of forward tasks.
    pub fn count(statuses: impl IntoIterator<Item = TaskStatus>) -> Self {
        let mut counts = Self::default();
        for status in statuses {
            counts.total += 1;
            *counts.slot(status) += 1;
        }
        counts
    }

    const fn slot(&mut self, status: TaskStatus) -> &mut u32 {
        match status {
            TaskStatus::Pending => &mut self.pending,
            TaskStatus::Assigned => &mut self.assigned,
            TaskStatus::Running => &mut self.running,
            TaskStatus::Verifying => &mut self.verifying,
            TaskStatus::Succeeded => &mut self.succeeded,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::RolledBack => &mut self.rolled_back,
            TaskStatus::Skipped => &mut self.skipped,
            TaskStatus::Cancelled => &mut self.cancelled,
            TaskStatus::Unknown => &mut self.unknown,
        }
    }
}

/// Going back, as `GET /rollbacks` lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollback {
    /// The job that does it; also the rollback's id.
    pub id: JobId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// Which application.
    pub application: String,
    /// The release that ran or was being rolled out.
    pub from_release_id: ReleaseId,
    /// The release that comes back.
    pub to_release_id: ReleaseId,
    /// The targets, when not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_ids: Vec<TargetId>,
    /// Why.
    pub reason: String,
    /// The promotion that it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes_promotion_id: Option<PromotionId>,
    /// Waiting promotions that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_promotion_ids: Vec<PromotionId>,
    /// Jobs that were under way and that it stopped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped_job_ids: Vec<JobId>,
    /// Images of which no registry could say whether it still has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchecked_images: Vec<String>,
    /// Who.
    pub requested_by: Actor,
    /// When.
    pub requested_at: Timestamp,
    /// How the job stands.
    pub status: JobStatus,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
}
