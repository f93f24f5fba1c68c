//! Whose turn it is: one job at a time for an application, in an exclusive environment for all.

use plimsoll_core::{
    Result,
    deployment::{DeploymentJob, JobCommand, JobKind, JobStatus},
    environment::Environment,
};
use plimsoll_store::{Lock, Tx, deployment as rows, resource};

use super::{advance::save, wake_job};
use crate::{Notes, rollback};

/// Begins a job that waits, if its turn has come; answers whether it has.
pub(super) fn begin(tx: &mut Tx<'_>, notes: &mut Notes, known: &DeploymentJob) -> Result<bool> {
    tx.lock(&Lock::Environment(known.environment_id))?;
    tx.lock(&Lock::Application(known.environment_id, &known.application))?;
    tx.lock(&Lock::Job(known.id))?;
    let mut job: DeploymentJob = resource::get(tx, known.id)?;
    if job.status != JobStatus::Queued {
        return Ok(true);
    }
    // Of a deleted environment the jobs in hand still come to their end.
    let exclusive = resource::find::<Environment>(tx, job.environment_id)?.is_some_and(|one| one.exclusive);
    let others = if exclusive {
        rows::open_in(tx, job.environment_id)?
    } else {
        rows::open_jobs(tx, job.environment_id, &job.application)?
    };
    let before =
        |one: &DeploymentJob| one.status != JobStatus::Queued || (one.created_at, one.id) < (job.created_at, job.id);
    if others.iter().any(|one| one.id != job.id && before(one)) {
        return Ok(false);
    }
    if job.kind == JobKind::Rollback {
        rollback::renew(tx, &job)?;
    }
    job.status = job.status.after(JobCommand::Start)?;
    job.started_at = Some(notes.now());
    save(tx, notes, &mut job)?;
    Ok(true)
}

/// A job ended: those that waited for it are looked at.
pub(super) fn pass_on(tx: &mut Tx<'_>, notes: &Notes, ended: &DeploymentJob) -> Result<()> {
    for waiting in rows::open_in(tx, ended.environment_id)? {
        if waiting.status == JobStatus::Queued && waiting.id != ended.id {
            wake_job(tx, waiting.id, notes.now())?;
        }
    }
    Ok(())
}
