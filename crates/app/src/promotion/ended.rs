//! What the end of a job means for its promotion, and for those that wait behind it.

use plimsoll_core::{
    Result,
    deployment::{DeploymentJob, JobKind, JobStatus},
    promotion::{PromotionCommand, PromotionStatus},
};
use plimsoll_store::{Tx, promotion as rows, promotion::PromotionRow, resource};

use super::{is_carried_out_by, save, wake};
use crate::Notes;

/// Called in the transaction that ends `job`, which holds the job's lock: the promotion is guarded by its
/// revision alone, since its lock comes before the job's.
pub(crate) fn job_ended(tx: &mut Tx<'_>, notes: &mut Notes, job: &DeploymentJob) -> Result<()> {
    if let Some(id) = job.promotion_id
        && let Some(mut row) = resource::find::<PromotionRow>(tx, id)?
        && let Some(command) = command(&row, job)
    {
        row.promotion.status = row.promotion.status.after(command)?;
        let packets = job.evidence_packet_ids.iter().copied();
        let new: Vec<_> = packets.filter(|packet| !row.promotion.evidence_packet_ids.contains(packet)).collect();
        row.promotion.evidence_packet_ids.extend(new);
        save(tx, notes, &mut row)?;
    }
    for waiting in rows::open_into(tx, job.environment_id)? {
        wake(tx, waiting, notes.now())?;
    }
    Ok(())
}

/// What the job's end asks of the promotion that it carries out or undoes.
fn command(row: &PromotionRow, job: &DeploymentJob) -> Option<PromotionCommand> {
    let status = row.promotion.status;
    match (job.kind, job.status) {
        (JobKind::Rollback, JobStatus::Succeeded) => {
            let undone = matches!(status, PromotionStatus::Deployed | PromotionStatus::Failed);
            undone.then_some(PromotionCommand::RollBack)
        }
        (JobKind::Deploy | JobKind::Redeploy, end)
            if status == PromotionStatus::Deploying && is_carried_out_by(row, job) =>
        {
            match end {
                JobStatus::Succeeded => Some(PromotionCommand::Succeed),
                JobStatus::Failed | JobStatus::Cancelled => Some(PromotionCommand::Fail),
                JobStatus::RolledBack => Some(PromotionCommand::RollBack),
                JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling => None,
            }
        }
        (
            JobKind::Deploy | JobKind::Redeploy | JobKind::Rollback,
            JobStatus::Queued
            | JobStatus::Running
            | JobStatus::Paused
            | JobStatus::Succeeded
            | JobStatus::Failed
            | JobStatus::Cancelling
            | JobStatus::Cancelled
            | JobStatus::RolledBack,
        ) => None,
    }
}
