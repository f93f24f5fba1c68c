//! Syncs the versions of components on a schedule, and goes on where a call ran out of time.

use std::sync::Arc;

use futures_util::future::join_all;
use plimsoll_core::{Result, component::Component, id::ComponentId};
use plimsoll_store::{
    Scope, SystemReason, resource,
    work::{self, Claimed},
};

use super::Progress;
use crate::{
    App,
    component::sync::{EVERY_SECONDS, Pace, WORK},
    identity::server_principal,
};

/// Components synced at once by one replica.
const AT_ONCE: u32 = 4;
/// Longer than a sync lasts.
const LEASE_SECONDS: i64 = 90;
/// Where time ran out, the rest follows soon.
const SOON_SECONDS: i64 = 2;
/// A registry that wants to be left alone is.
const LATER_SECONDS: i64 = 60;

/// One step: up to four components whose time has come.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    let (owner, now) = (app.replica.clone(), app.context.now());
    let claimed = app
        .store
        .write(Scope::System(SystemReason::Claim), "component_sync_claim", move |tx| {
            work::claim(tx, WORK, &owner, now, LEASE_SECONDS, AT_ONCE)
        })
        .await?;
    if claimed.is_empty() {
        return Ok(Progress::Idle);
    }
    for outcome in join_all(claimed.into_iter().map(|claim| sync(&app, claim))).await {
        outcome?;
    }
    Ok(Progress::More)
}

async fn sync(app: &App, claim: Claimed) -> Result<()> {
    let scope = Scope::Tenant(claim.tenant);
    let id: ComponentId = claim.subject.parse()?;
    let lives = app.store.read(scope, "component_sync", move |tx| resource::find::<Component>(tx, id)).await?.is_some();
    let wait = if lives { Some(sync_one(app, &claim, id).await) } else { None };
    let run_at = wait.map(|seconds| app.context.now().plus_seconds(seconds));
    app.store
        .write(scope, "component_sync_again", move |tx| match run_at {
            Some(at) => work::postpone(tx, WORK, &claim.subject, claim.epoch, at),
            None => work::finish(tx, WORK, &claim.subject, claim.epoch),
        })
        .await?;
    Ok(())
}

/// Seconds until the next time. A failure is no reason to try at once: the next time is one, too.
async fn sync_one(app: &App, claim: &Claimed, id: ComponentId) -> i64 {
    let principal = server_principal(claim.tenant);
    match app.sync_component(&principal, id, Pace::Background).await {
        Ok((result, _)) if result.done => {
            let [jitter] = app.context.random::<1>();
            EVERY_SECONDS + i64::from(jitter) % (EVERY_SECONDS / 10)
        }
        Ok((_, true)) => LATER_SECONDS,
        Ok((_, false)) => SOON_SECONDS,
        Err(error) => {
            tracing::info!(component = %id, error = %error, "the versions of a component could not be synced");
            EVERY_SECONDS
        }
    }
}
