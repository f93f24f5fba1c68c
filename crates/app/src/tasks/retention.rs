//! Forgets what is kept for a time only: logs and artifacts of finished jobs, events, kept answers. The audit trail
//! and evidence stay for ever.

use std::{sync::Arc, time::Duration};

use plimsoll_core::{Result, Timestamp, id::TenantId};
use plimsoll_store::{
    Scope, SystemReason, Tx,
    retention::{self, OfJobs},
    work,
};
use tokio_util::sync::CancellationToken;

use crate::App;

/// How often it looks.
const PAUSE: Duration = Duration::from_mins(10);
/// How long one replica holds the turn after each transaction.
const LEASE_SECONDS: i64 = 60;
const DAY: i64 = 24 * 3600;

/// How long what is kept, in days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Logs of finished jobs.
    pub logs: u32,
    /// Artifacts of finished jobs.
    pub artifacts: u32,
    /// Events, which streams and hooks read.
    pub events: u32,
    /// Answers under an Idempotency-Key.
    pub answers: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { logs: 30, artifacts: 90, events: 7, answers: 1 }
    }
}

/// Sweeps now and then, until told to stop.
pub async fn keep_swept(app: Arc<App>, stop: CancellationToken) {
    loop {
        if let Err(error) = sweep(&app, &stop).await {
            tracing::warn!(error = ?error, "what is old could not be forgotten; it will be tried again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

/// Forgets all that is too old now. Each transaction takes a thousand rows at most; `stop` ends it between two.
pub async fn sweep(app: &App, stop: &CancellationToken) -> Result<()> {
    let now = app.context.now();
    let before = |days: u32| now.plus_seconds(-DAY * i64::from(days));
    let kept = app.settings.retention;
    let (logs, artifacts, answers, events) =
        (before(kept.logs), before(kept.artifacts), before(kept.answers), before(kept.events));
    repeat(app, stop, move |tx| retention::forget_of_jobs(tx, OfJobs::Logs, logs)).await?;
    repeat(app, stop, move |tx| retention::forget_of_jobs(tx, OfJobs::Artifacts, artifacts)).await?;
    repeat(app, stop, move |tx| retention::forget_answers(tx, answers)).await?;
    forget_events(app, stop, events).await
}

async fn forget_events(app: &App, stop: &CancellationToken, until: Timestamp) -> Result<()> {
    let mut before: Option<TenantId> = None;
    loop {
        let scope = Scope::System(SystemReason::Retention);
        let after = before;
        let next = app.store.read(scope, "retention", move |tx| retention::next_tenant(tx, after)).await?;
        let Some(tenant) = next else { return Ok(()) };
        repeat(app, stop, move |tx| retention::forget_events(tx, tenant, until)).await?;
        before = Some(tenant);
    }
}

/// Runs `step` in one transaction after another while there is more and this replica has the turn.
async fn repeat(
    app: &App,
    stop: &CancellationToken,
    step: impl Fn(&mut Tx<'_>) -> Result<bool> + Clone + Send + 'static,
) -> Result<()> {
    while !stop.is_cancelled() {
        let (owner, now, step) = (app.replica.clone(), app.context.now(), step.clone());
        let turn =
            move |tx: &mut Tx<'_>| Ok(work::hold_lease(tx, "retention", &owner, now, LEASE_SECONDS)? && step(tx)?);
        if !app.store.write(Scope::System(SystemReason::Retention), "retention", turn).await? {
            return Ok(());
        }
    }
    Ok(())
}
