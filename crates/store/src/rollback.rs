//! Rollbacks as rows, beside the jobs that carry them out.

use plimsoll_core::{
    Result, Timestamp,
    deployment::{JobKind, JobStatus, Remains, Rollback},
    id::{EnvironmentId, JobId, PromotionId, ReleaseId, TargetId},
};
use serde::{Deserialize, Serialize};

use crate::{
    IntoValue, Tx, Value, deployment as jobs, params,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

/// A rollback with what guards its row. The status in it is that of its beginning; the job tells today's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RollbackRow {
    /// As the API shows it.
    pub rollback: Rollback,
    /// Rises with every change.
    pub revision: i64,
}

impl Resource for RollbackRow {
    type Id = JobId;
    const TABLE: Table = Table {
        name: "rollback",
        noun: "rollback",
        fields: &[
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "application", column: "application", kind: FieldKind::Text, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["environmentId", "application"], "createdAt")],
    };
    fn id(&self) -> JobId {
        self.rollback.id
    }
    fn created_at(&self) -> Timestamp {
        self.rollback.requested_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![self.rollback.environment_id.into_value(), self.rollback.application.as_str().into_value()]
    }
}

/// The applications that were ever deployed in an environment, by name; at most 1000.
pub fn applications(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<String>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT DISTINCT application FROM deployment_job WHERE tenant_id = $1 AND environment_id = $2
         ORDER BY application LIMIT 1000",
        params![tenant, environment],
    )?;
    rows.into_iter().map(crate::Row::first).collect()
}

/// A job as the way back needs to know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastJob {
    /// Which.
    pub id: JobId,
    /// What for.
    pub kind: JobKind,
    /// The release that it brought or brought back.
    pub release: ReleaseId,
    /// How it stands.
    pub status: JobStatus,
    /// The promotion that it carries out or undoes.
    pub promotion: Option<PromotionId>,
}

/// All jobs of an application in an environment, oldest first, without their plans.
pub fn past_jobs(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<PastJob>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT id, kind, release_id, status, promotion_id FROM deployment_job
         WHERE tenant_id = $1 AND environment_id = $2 AND application = $3 ORDER BY created_at, id",
        params![tenant, environment, application],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(PastJob {
                id: row.next()?,
                kind: row.next::<String>()?.parse()?,
                release: row.next()?,
                status: row.next::<String>()?.parse()?,
                promotion: row.next()?,
            })
        })
        .collect()
}

/// The targets that a job kept a spec for.
pub fn targets_of(tx: &mut Tx<'_>, job: JobId) -> Result<Vec<TargetId>> {
    let tenant = tx.tenant()?;
    let sql = "SELECT target_id FROM job_spec WHERE tenant_id = $1 AND job_id = $2 ORDER BY target_id";
    tx.query(sql, params![tenant, job])?.into_iter().map(crate::Row::first).collect()
}

/// What a job that ended without success left: anything that is not known to be put back counts as changed.
pub fn remains_of(tx: &mut Tx<'_>, job: JobId) -> Result<Remains> {
    use plimsoll_core::deployment::TaskStatus as S;
    let changed = jobs::tasks_of(tx, job)?.into_iter().any(|row| match row.task.status {
        S::Pending | S::Skipped | S::RolledBack => false,
        S::Failed | S::Cancelled => row.task.started_at.is_some() && row.task.remains != Some(Remains::Restored),
        S::Succeeded => row.task.undoes.is_none(),
        // Observation may have told since.
        S::Unknown => row.task.remains != Some(Remains::Restored),
        S::Assigned | S::Running | S::Verifying => true,
    });
    Ok(if changed { Remains::Changed } else { Remains::Restored })
}
