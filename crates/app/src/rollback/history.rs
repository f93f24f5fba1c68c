//! The application's history in an environment, from rows.

use plimsoll_core::{
    Result,
    deployment::{
        JobKind,
        history::{HistoryEntry, Scope},
    },
    id::EnvironmentId,
    release::Release,
};
use plimsoll_store::{
    Tx, deployment as jobs, resource,
    rollback::{self as rows, RollbackRow},
};

/// The application's history there, oldest first.
pub(super) fn entries(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<HistoryEntry>> {
    let mut jobs = jobs::history(tx, environment, application)?;
    jobs.reverse();
    jobs.into_iter()
        .map(|job| {
            let release = resource::find_any::<Release>(tx, job.release_id)?;
            let part =
                resource::find::<RollbackRow>(tx, job.id)?.is_some_and(|row| !row.rollback.target_ids.is_empty());
            Ok(HistoryEntry {
                job_id: job.id,
                kind: job.kind,
                release_id: job.release_id,
                version: job.release_version,
                blocked: release.is_some_and(|one| one.deprecation.is_some_and(|why| why.block)),
                status: job.status,
                remains: rows::remains_of(tx, job.id)?,
                scope: if part { Scope::Part } else { Scope::Whole },
                promotion_id: match job.kind {
                    // A rollback's job names the promotion that it undoes.
                    JobKind::Rollback => None,
                    JobKind::Deploy | JobKind::Redeploy => job.promotion_id,
                },
            })
        })
        .collect()
}
