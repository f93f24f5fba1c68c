//! Taking a promotion back.

use plimsoll_core::{
    Result,
    actor::Actor,
    deployment::CancelMode,
    id::PromotionId,
    promotion::{PromotionCommand, PromotionStatus},
};
use plimsoll_protocol::promotion::CancelPromotion;
use serde_json::json;

use super::{
    approve::{changed, open},
    decide::settle,
    save,
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
                    let mode = CancelMode::putting_back(body.rollback);
                    cancel_job(tx, notes, job, Stop::new(&owned.principal, mode, body.reason.clone()))?;
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
