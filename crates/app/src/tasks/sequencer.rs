//! Gives positions to committed events, in the order of their commits.

use std::sync::Arc;

use plimsoll_core::Result;
use plimsoll_store::{Scope, SystemReason, event};

use super::Progress;
use crate::App;

/// One step: up to 500 events, if this replica holds the lease.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    let (owner, now) = (app.replica.clone(), app.context.now());
    let taken = app
        .store
        .write(Scope::System(SystemReason::Sequencer), "sequence", move |tx| event::sequence(tx, &owner, now))
        .await?;
    Ok(if taken.is_some_and(|count| count > 0) { Progress::More } else { Progress::Idle })
}
