//! Taking a promotion back, and letting go one that a rollback holds.

use plimsoll_core::{
    Error, Result,
    actor::Actor,
    deployment::CancelMode,
    id::PromotionId,
    promotion::{PromotionCommand, PromotionStatus},
};
use plimsoll_protocol::promotion::{CancelPromotion, ResumePromotion};
use plimsoll_store::resource;
use serde_json::json;

use super::{
    approve::{changed, open},
    decide::settle,
    save, wake,
};
use crate::{
    App, Caller, Reply,
    deployment::cancel::{Stop, cancel_job},
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
                    save(tx, notes, &mut row)?;
                    let mode = CancelMode::putting_back(body.rollback);
                    cancel_job(tx, notes, job, Stop::new(&owned.principal, mode, body.reason.clone()))?;
                    // A job that had not begun has ended with it.
                    row = resource::get(tx, id)?;
                }
                _ => settle(tx, notes, &mut row, PromotionCommand::Cancel)?,
            }
            let data = json!({ "reason": body.reason, "rollback": body.rollback });
            notes.event("promotion", id, None, "promotion.cancel_requested", data);
            changed(&before, row)
        })
        .await
    }

    /// Lets go a promotion that a rollback holds: it takes its turn again when its gates pass.
    pub async fn promotion_resume(&self, caller: &Caller, id: PromotionId, body: ResumePromotion) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let before = open(tx, &owned, id)?;
            owned.check_revision(before.promotion.revision)?;
            let mut row = before.clone();
            if !row.promotion.held || !row.promotion.status.is_open() {
                let state = if row.promotion.status.is_open() { "not held" } else { row.promotion.status.as_str() };
                return Err(Error::state_conflict("promotion", state, "resume", &[]));
            }
            row.promotion.held = false;
            save(tx, notes, &mut row)?;
            wake(tx, id, notes.now())?;
            notes.event("promotion", id, None, "promotion.resumed", json!({ "reason": body.reason }));
            changed(&before, row)
        })
        .await
    }
}
