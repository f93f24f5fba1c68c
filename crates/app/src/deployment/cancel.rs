//! Stopping a job. It ends within a bounded time: agents that can be told undo or finish what they have in
//! hand, of the others nobody can tell, and their targets are observed when they are back.

use plimsoll_core::{
    Result,
    actor::Actor,
    audit::Principal,
    deployment::{CancelMode, Cancellation, DeploymentJob, JobCommand, JobStatus},
    id::JobId,
};
use plimsoll_protocol::deployment::CancelJob;
use plimsoll_store::{Lock, Tx, deployment as rows, resource};
use serde_json::json;

use super::{advance, effects, wake_job};
use crate::{App, Caller, Change, Notes, Reply};

/// Who wants a job stopped, and how.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    by: Actor,
    mode: CancelMode,
    reason: Option<String>,
}

impl Stop {
    pub(crate) fn new(by: &Principal, mode: CancelMode, reason: Option<String>) -> Self {
        Self { by: Actor::from(by), mode, reason }
    }
}

impl App {
    /// Stops a job before its next target. Finished targets keep the new release unless the body says
    /// otherwise.
    pub async fn deployment_job_cancel(&self, caller: &Caller, id: JobId, body: CancelJob) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let known: DeploymentJob = resource::get(tx, id)?;
            owned.may_in(known.environment_id)?;
            tx.lock(&Lock::Job(id))?;
            let before: DeploymentJob = resource::get(tx, id)?;
            owned.check_revision(before.revision)?;
            let stop = Stop::new(&owned.principal, CancelMode::putting_back(body.rollback), body.reason.clone());
            let job = cancel_job(tx, notes, id, stop)?;
            Change::done("deployment_job", id, &resource::as_json(&before)?, job)
        })
        .await
    }
}

/// Asks a job to stop before its next target. One that is stopping already only learns how it shall end.
pub(crate) fn cancel_job(tx: &mut Tx<'_>, notes: &mut Notes, id: JobId, stop: Stop) -> Result<DeploymentJob> {
    tx.lock(&Lock::Job(id))?;
    let mut job: DeploymentJob = resource::get(tx, id)?;
    let data = json!({ "by": stop.by, "mode": stop.mode, "reason": stop.reason });
    notes.event("deployment_job", id, None, "job.cancel_requested", data);
    job.cancellation = Some(match job.cancellation.take() {
        Some(first) => Cancellation { mode: stop.mode, reason: stop.reason.or(first.reason), ..first },
        None => Cancellation { by: stop.by, at: notes.now(), mode: stop.mode, reason: stop.reason },
    });
    match job.status {
        // Nothing was begun: it ends here.
        JobStatus::Queued => {
            for row in rows::tasks_of(tx, id)? {
                effects::cancel_pending(tx, notes, row.task.id)?;
            }
            advance::finish(tx, notes, &mut job, JobCommand::Cancel, None)?;
        }
        JobStatus::Cancelling => advance::save(tx, notes, &mut job)?,
        JobStatus::Running
        | JobStatus::Paused
        | JobStatus::Succeeded
        | JobStatus::Failed
        | JobStatus::Cancelled
        | JobStatus::RolledBack => {
            job.status = job.status.after(JobCommand::Cancel)?;
            advance::save(tx, notes, &mut job)?;
        }
    }
    wake_job(tx, id, notes.now())?;
    Ok(job)
}
