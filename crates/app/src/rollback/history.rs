//! The application's history in an environment, from rows.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result,
    deployment::{
        JobKind, JobStatus, Remains,
        history::{HistoryEntry, Scope},
    },
    id::{EnvironmentId, ReleaseId},
    release::Release,
};
use plimsoll_store::{
    Tx, resource,
    rollback::{self as rows, PastJob, RollbackRow},
};

/// The application's history there, oldest first, all of it: the way back may begin anywhere.
pub(super) fn entries(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<HistoryEntry>> {
    let mut releases = BTreeMap::new();
    let mut entries = Vec::new();
    for job in rows::past_jobs(tx, environment, application)? {
        let (version, blocked) = match releases.get(&job.release) {
            Some(known) => Clone::clone(known),
            None => {
                let found = released(tx, job.release)?;
                releases.insert(job.release, found.clone());
                found
            }
        };
        entries.push(entry(tx, job, version, blocked)?);
    }
    Ok(entries)
}

/// A release's version, and whether it is blocked now.
fn released(tx: &mut Tx<'_>, id: ReleaseId) -> Result<(String, bool)> {
    let found = resource::find_any::<Release>(tx, id)?;
    Ok(found.map_or_else(
        || (id.to_string(), false),
        |release| (release.version, release.deprecation.is_some_and(|why| why.block)),
    ))
}

fn entry(tx: &mut Tx<'_>, job: PastJob, version: String, blocked: bool) -> Result<HistoryEntry> {
    let (scope, promotion_id) = match job.kind {
        // A rollback's job names the promotion that it undoes.
        JobKind::Rollback => {
            let row = resource::find::<RollbackRow>(tx, job.id)?;
            let part = row.is_some_and(|row| !row.rollback.target_ids.is_empty());
            (if part { Scope::Part } else { Scope::Whole }, None)
        }
        JobKind::Deploy | JobKind::Redeploy => (Scope::Whole, job.promotion),
    };
    let remains = match job.status {
        JobStatus::Failed | JobStatus::Cancelled => rows::remains_of(tx, job.id)?,
        JobStatus::RolledBack => Remains::Restored,
        JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling | JobStatus::Succeeded => {
            Remains::Changed
        }
    };
    Ok(HistoryEntry {
        job_id: job.id,
        kind: job.kind,
        release_id: job.release,
        version,
        blocked,
        status: job.status,
        remains,
        scope,
        promotion_id,
    })
}
