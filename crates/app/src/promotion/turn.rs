//! Whose turn it is in an environment.

use plimsoll_core::{Result, environment::Environment};
use plimsoll_store::{
    Tx, deployment as jobs,
    promotion::{self as rows, PromotionRow},
};

/// One job at a time for an application, or in an exclusive environment for all; others wait in the order
/// of their approval.
pub(super) fn is_its_turn(tx: &mut Tx<'_>, row: &PromotionRow, environment: &Environment) -> Result<bool> {
    let application = row.promotion.application.as_str();
    let (busy, queue) = if environment.exclusive {
        (jobs::open_in(tx, environment.id)?, rows::queue(tx, environment.id, None)?)
    } else {
        (jobs::open_jobs(tx, environment.id, application)?, rows::queue(tx, environment.id, Some(application))?)
    };
    let first = queue.iter().find(|one| !one.promotion.held);
    Ok(busy.is_empty() && first.is_none_or(|one| one.promotion.id == row.promotion.id))
}
