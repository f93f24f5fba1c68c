//! Jobs, tasks, specs, logs and fences as rows.

pub mod fence;
pub mod log;
pub mod order;
pub mod running;
pub mod spec;

use plimsoll_core::{
    Result, Timestamp,
    deployment::{DeploymentJob, Task},
    id::{EnvironmentId, JobId, ReleaseId, TargetId, TaskId, TypedId as _},
};
use uuid::Uuid;

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

const JOB_STATUSES: &[&str] =
    &["queued", "running", "paused", "succeeded", "failed", "cancelling", "cancelled", "rolled_back"];
const TASK_STATUSES: &[&str] = &[
    "pending",
    "assigned",
    "running",
    "verifying",
    "succeeded",
    "failed",
    "rolled_back",
    "skipped",
    "cancelled",
    "unknown",
];

impl Resource for DeploymentJob {
    type Id = JobId;
    const TABLE: Table = Table {
        name: "deployment_job",
        noun: "deployment job",
        fields: &[
            Field {
                api: "kind",
                column: "kind",
                kind: FieldKind::Enum(&["deploy", "rollback", "redeploy"]),
                sortable: true,
            },
            Field { api: "status", column: "status", kind: FieldKind::Enum(JOB_STATUSES), sortable: true },
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "application", column: "application", kind: FieldKind::Text, sortable: true },
            Field { api: "releaseId", column: "release_id", kind: FieldKind::Id, sortable: false },
            Field { api: "promotionId", column: "promotion_id", kind: FieldKind::Id, sortable: false },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
            Field { api: "finishedAt", column: "finished_at", kind: FieldKind::Time, sortable: false },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["promotionId"], ""),
            Indexed::new(&["environmentId", "application"], "createdAt"),
        ],
    };
    fn id(&self) -> JobId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.kind.as_str().into_value(),
            self.status.as_str().into_value(),
            self.environment_id.into_value(),
            self.application.as_str().into_value(),
            self.release_id.into_value(),
            self.promotion_id.into_value(),
            self.updated_at.into_value(),
            self.finished_at.into_value(),
        ]
    }
}

/// A task with what guards its row: the API's task has no revision of its own.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRow {
    /// The task as people see it.
    #[serde(flatten)]
    pub task: Task,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Resource for TaskRow {
    type Id = TaskId;
    const TABLE: Table = Table {
        name: "task",
        noun: "task",
        fields: &[
            Field { api: "jobId", column: "job_id", kind: FieldKind::Id, sortable: false },
            Field { api: "targetId", column: "target_id", kind: FieldKind::Id, sortable: false },
            Field { api: "agentId", column: "agent_id", kind: FieldKind::Id, sortable: false },
            Field { api: "kind", column: "kind", kind: FieldKind::Enum(&["forward", "rollback"]), sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(TASK_STATUSES), sortable: true },
            Field { api: "batch", column: "batch", kind: FieldKind::Int, sortable: true },
            Field { api: "epoch", column: "epoch", kind: FieldKind::Int, sortable: false },
        ],
        indexed: &[
            Indexed::new(&["jobId"], "batch"),
            Indexed::new(&["targetId"], ""),
            Indexed::new(&["agentId", "status"], ""),
        ],
    };
    fn id(&self) -> TaskId {
        self.task.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.task.job_id.into_value(),
            self.task.target_id.into_value(),
            self.task.agent_id.into_value(),
            self.task.kind.as_str().into_value(),
            self.task.status.as_str().into_value(),
            i64::from(self.task.batch).into_value(),
            (self.task.epoch as i64).into_value(),
        ]
    }
}

/// All tasks of a job in the order of batches.
pub fn tasks_of(tx: &mut Tx<'_>, job: JobId) -> Result<Vec<TaskRow>> {
    resource::find_where(tx, "job_id = $2 ORDER BY batch, id", params![job])
}

/// The jobs of an application in an environment that have not ended, oldest first: at most one of them has
/// begun, the others wait for its end.
pub fn open_jobs(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<DeploymentJob>> {
    resource::find_where(
        tx,
        "environment_id = $2 AND application = $3 AND status IN ('queued', 'running', 'paused', 'cancelling')
         ORDER BY created_at, id",
        params![environment, application],
    )
}

/// All jobs in an environment that have not ended, oldest first.
pub fn open_in(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<DeploymentJob>> {
    resource::find_where(
        tx,
        "environment_id = $2 AND status IN ('queued', 'running', 'paused', 'cancelling') ORDER BY created_at, id",
        params![environment],
    )
}

/// The application's jobs in an environment, newest first, at most 200.
pub fn history(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<DeploymentJob>> {
    resource::find_where(
        tx,
        "environment_id = $2 AND application = $3 ORDER BY created_at DESC, id DESC LIMIT 200",
        params![environment, application],
    )
}

/// The application's jobs in an environment before `before`, newest first: `most` of them.
pub fn history_before(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    application: &str,
    before: Option<(Timestamp, JobId)>,
    most: usize,
) -> Result<Vec<DeploymentJob>> {
    let newest = (Timestamp::from_micros(i64::MAX), JobId::from_uuid(Uuid::max()));
    let (at, id) = before.unwrap_or(newest);
    resource::find_where(
        tx,
        "environment_id = $2 AND application = $3 AND (created_at < $4 OR (created_at = $4 AND id < $5))
         ORDER BY created_at DESC, id DESC LIMIT $6",
        params![environment, application, at, id, most as i64],
    )
}

/// Whether a job ever brought the release there and succeeded.
pub fn ever_succeeded(tx: &mut Tx<'_>, environment: EnvironmentId, release: ReleaseId) -> Result<bool> {
    let tenant = tx.tenant()?;
    let found = tx.query_opt(
        "SELECT 1 FROM deployment_job
         WHERE tenant_id = $1 AND environment_id = $2 AND release_id = $3 AND status = 'succeeded' LIMIT 1",
        params![tenant, environment, release],
    )?;
    Ok(found.is_some())
}

/// Whether a target has a task in hand.
pub fn in_hand(tx: &mut Tx<'_>, target: TargetId) -> Result<Option<TaskRow>> {
    let found: Vec<TaskRow> =
        resource::find_where(tx, "target_id = $2 AND status IN ('assigned', 'running', 'verifying')", params![target])?;
    Ok(found.into_iter().next())
}

/// Jobs that have something to do on a target and have not begun it.
pub fn waiting_for(tx: &mut Tx<'_>, target: TargetId) -> Result<Vec<JobId>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT DISTINCT t.job_id FROM task t JOIN deployment_job j ON j.tenant_id = t.tenant_id AND j.id = t.job_id
         WHERE t.tenant_id = $1 AND t.target_id = $2 AND t.status = 'pending'
           AND j.status IN ('queued', 'running', 'paused', 'cancelling') ORDER BY t.job_id LIMIT 100",
        params![tenant, target],
    )?;
    rows.into_iter().map(crate::Row::first).collect()
}

/// For each application the last task that was ever offered on a target, with the application's name.
pub fn last_tasks(tx: &mut Tx<'_>, target: TargetId) -> Result<Vec<(String, TaskRow)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT j.application, t.body FROM task t
         JOIN deployment_job j ON j.tenant_id = t.tenant_id AND j.id = t.job_id
         WHERE t.tenant_id = $1 AND t.target_id = $2 AND t.epoch = (
           SELECT max(o.epoch) FROM task o
           JOIN deployment_job p ON p.tenant_id = o.tenant_id AND p.id = o.job_id
           WHERE o.tenant_id = $1 AND o.target_id = $2 AND o.epoch > 0 AND p.application = j.application)
         ORDER BY j.application, t.id LIMIT 1000",
        params![tenant, target],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next_json()?))
        })
        .collect()
}
