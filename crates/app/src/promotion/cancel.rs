//! Taking a promotion back.

use plimsoll_core::{
    Result,
    actor::Actor,
    deployment::{DeploymentJob, JobCommand, JobStatus},
    id::{JobId, PromotionId},
    promotion::{PromotionCommand, PromotionStatus},
};
use plimsoll_protocol::promotion::CancelPromotion;
use plimsoll_store::{Lock, Tx, deployment as jobs, resource};
use serde_json::json;

use super::{
    approve::{changed, open},
    decide::settle,
    save,
};
use crate::{
    App, Caller, Notes, Reply,
    deployment::{note_job, wake_job},
};

impl App {
    /// Takes a promotion back: before it deploys at once; while it deploys its job is stopped.
    pub async fn promotion_cancel(&self, caller: &Caller, id: PromotionId, body: CancelPromotion) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let before = open(tx, &owned, id)?;
            owned.check_revision(before.promotion.revision)?;
            let mut row = before.clone();
            row.changed_by.push(Actor::from(&owned.principal));
            let next = row.promotion.status.after(PromotionCommand::Cancel)?;
            match (next, row.promotion.deployment_job_id) {
                (PromotionStatus::Deploying, Some(job)) => {
                    cancel_job(tx, notes, job, body.rollback)?;
                    save(tx, notes, &mut row)?;
                }
                _ => settle(tx, notes, &mut row, PromotionCommand::Cancel)?,
            }
            let data = json!({ "reason": body.reason, "rollback": body.rollback });
            notes.event("promotion", id, None, "promotion.cancel_requested", data);
            changed(&before, row)
        })
        .await
    }
}

/// Asks a job to stop before its next target. One that is stopping already only learns how it shall end.
pub(crate) fn cancel_job(tx: &mut Tx<'_>, notes: &mut Notes, id: JobId, puts_back: bool) -> Result<()> {
    tx.lock(&Lock::Job(id))?;
    let mut job: DeploymentJob = resource::get(tx, id)?;
    jobs::set_cancel(tx, id, puts_back)?;
    if job.status != JobStatus::Cancelling {
        if job.status == JobStatus::Queued {
            // It ends through its reconciler like any other, with its evidence.
            job.status = job.status.after(JobCommand::Start)?;
            job.started_at = Some(notes.now());
        }
        job.status = job.status.after(JobCommand::Cancel)?;
        job.updated_at = notes.now();
        resource::update(tx, &mut job)?;
        note_job(notes, &job)?;
    }
    wake_job(tx, id, notes.now())
}
