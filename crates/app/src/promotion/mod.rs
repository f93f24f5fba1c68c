//! Promotions: asked for, decided in one transaction, carried out by a job.

pub mod approve;
pub mod cancel;
pub mod create;
pub mod decide;
mod ended;
mod facts;
mod makers;
pub(crate) mod owner;
pub mod policy;
mod predecessors;
mod prepare;
pub mod preview;
pub mod read;
mod seal;
mod turn;

use plimsoll_core::{Result, Timestamp, deployment::DeploymentJob, id::PromotionId};
use plimsoll_store::{Tx, promotion::PromotionRow, resource, work};

use crate::Notes;

pub(crate) use ended::job_ended;
pub(crate) use prepare::{Wish, prepare};

/// The kind of background work that decides about a promotion again.
pub const PROMOTION_WORK: &str = "promotion";

/// Asks for a promotion to be looked at.
pub(crate) fn wake(tx: &mut Tx<'_>, id: PromotionId, at: Timestamp) -> Result<()> {
    work::enqueue(tx, PROMOTION_WORK, &id.to_string(), at)
}

/// Writes a changed promotion and tells whoever follows it.
pub(crate) fn save(tx: &mut Tx<'_>, notes: &mut Notes, row: &mut PromotionRow) -> Result<()> {
    row.promotion.updated_at = notes.now();
    resource::update(tx, row)?;
    note(notes, row, "promotion.changed")
}

/// Notes an event of a promotion.
pub(crate) fn note(notes: &mut Notes, row: &PromotionRow, kind: &'static str) -> Result<()> {
    let shown = serde_json::to_value(&row.promotion)
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("an event is not JSON: {cause}")))?;
    notes.event("promotion", row.promotion.id, None, kind, shown);
    Ok(())
}

/// Whether a job carries out `row`.
pub(crate) fn is_carried_out_by(row: &PromotionRow, job: &DeploymentJob) -> bool {
    row.promotion.deployment_job_id == Some(job.id)
}
