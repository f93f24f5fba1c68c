//! Finding the versions of a component: its repository's tags, read by its scheme, each with what it names.

mod known;
mod look;
mod plan;
mod record;

use std::{sync::Arc, time::Duration};

use plimsoll_core::{
    Error, ErrorCode, Result,
    audit::Principal,
    component::{Component, SyncResult, versioning::Reader},
    id::ComponentId,
};
use plimsoll_oci::Repository;
use plimsoll_store::{
    Scope, Tx,
    component_sync::{self, Turn},
    resource, work,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{App, Caller, Change, Reply};
use look::{Looker, Place};
use plan::{Situation, plan};
use record::Recorder;

/// The kind of background work.
pub(crate) const WORK: &str = "component_sync";
/// Seconds between two syncs of a component.
pub(crate) const EVERY_SECONDS: i64 = 600;
/// Who has the turn and died loses it after so long.
const LEASE_SECONDS: i64 = 45;

/// For whom a sync runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Somebody waits for it.
    Call,
    /// Nobody does; the server may be told to stop meanwhile.
    Background,
}

impl Pace {
    /// How long the registry may be asked.
    const fn budget(self) -> Duration {
        match self {
            Self::Call => Duration::from_secs(25),
            Self::Background => Duration::from_secs(10),
        }
    }

    /// How long another sync of the component is waited for.
    const fn joined(self) -> Duration {
        match self {
            Self::Call => Duration::from_secs(40),
            Self::Background => Duration::ZERO,
        }
    }
}

/// What a sync came to; kept for those who joined it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// What it did, and whether the registry wanted to be left alone.
    Synced { result: SyncResult, stopped: bool },
    /// Nothing could be done.
    Failed { code: ErrorCode, message: String },
}

impl Outcome {
    fn into_result(self) -> Result<(SyncResult, bool)> {
        match self {
            Self::Synced { result, stopped } => Ok((result, stopped)),
            Self::Failed { code, message } => Err(Error::new(code, message)),
        }
    }
}

/// Whether `after` has other tags, or reads them otherwise.
pub(super) fn reads_other_tags(before: &Component, after: &Component) -> bool {
    before.versioning != after.versioning
        || before.repository != after.repository
        || before.registry_integration_id != after.registry_integration_id
}

impl App {
    /// Syncs a component's versions now, or joins the sync that runs.
    pub async fn component_sync_versions(self: &Arc<Self>, caller: &Caller, id: ComponentId) -> Result<Reply> {
        let (app, principal) = (Arc::clone(self), caller.principal.clone());
        let ask = async move {
            // A task of its own: a client that goes away does not leave it half done.
            let running = tokio::spawn(async move { app.sync_component(&principal, id, Pace::Call).await });
            let joined = running.await;
            joined.map_err(|cause| Error::internal_defect(format!("a sync ended badly: {cause}")))?
        };
        let now = caller.now;
        self.outside(caller, ask, move |(result, _), tx, _| {
            if !result.done {
                work::enqueue(tx, WORK, &id.to_string(), now)?;
            }
            let counts = json!({ "added": result.added, "moved": result.moved, "failed": result.failed.len() });
            Ok(Change::done("component", id, &Value::Null, result.clone())?.with_patch(Some(counts)))
        })
        .await
    }

    /// Takes the turn, or waits for who has it. Answers what was done, and whether the registry wanted to
    /// be left alone.
    pub(crate) async fn sync_component(
        &self,
        principal: &Principal,
        id: ComponentId,
        pace: Pace,
    ) -> Result<(SyncResult, bool)> {
        let scope = Scope::Tenant(principal.tenant);
        let mut waiter = self.store.wake().waiter();
        let mut joined = None;
        let begun = self.context.instant();
        loop {
            match self.take_turn(scope, id, joined).await? {
                Step::Ended(outcome) => return outcome.into_result(),
                Step::Turn(Turn::Mine(epoch)) => {
                    return self.sync_in_turn(principal, id, epoch, pace).await;
                }
                Step::Turn(Turn::Running(epoch)) => joined = joined.or(Some(epoch)),
            }
            if self.context.instant().duration_since(begun) >= pace.joined() {
                let message = "another sync of this component runs for long; ask again in a minute";
                return Err(Error::new(ErrorCode::Unavailable, message));
            }
            waiter.wait_or_poll().await;
        }
    }

    async fn take_turn(&self, scope: Scope, id: ComponentId, joined: Option<i64>) -> Result<Step> {
        let now = self.context.now();
        let take = move |tx: &mut Tx<'_>| {
            resource::get::<Component>(tx, id)?;
            if let Some(epoch) = joined
                && let Some(outcome) = component_sync::outcome(tx, id, epoch)?
            {
                return Ok(Step::Ended(outcome));
            }
            component_sync::begin(tx, id, now, LEASE_SECONDS).map(Step::Turn)
        };
        self.store.write(scope, "component_sync_begin", take).await
    }

    async fn sync_in_turn(
        &self,
        principal: &Principal,
        id: ComponentId,
        epoch: i64,
        pace: Pace,
    ) -> Result<(SyncResult, bool)> {
        let outcome = match self.sync_now(principal, id, pace).await {
            Ok((result, stopped)) => Outcome::Synced { result, stopped },
            Err(error) => Outcome::Failed { code: error.code(), message: error.message().to_owned() },
        };
        let kept = outcome.clone();
        self.store
            .write(Scope::Tenant(principal.tenant), "component_sync_end", move |tx| {
                component_sync::end(tx, id, epoch, &kept)
            })
            .await?;
        outcome.into_result()
    }

    async fn sync_now(&self, principal: &Principal, id: ComponentId, pace: Pace) -> Result<(SyncResult, bool)> {
        let scope = Scope::Tenant(principal.tenant);
        let deadline = (self.context.instant() + pace.budget()).into();
        let component: Component = self.store.read(scope, "component_sync", move |tx| resource::get(tx, id)).await?;
        let registry = self.enabled_registry(principal.tenant, component.registry_integration_id).await?;
        let repository: Repository = component.repository.parse()?;
        let reader = Reader::new(&component.versioning)?;
        let tags = tokio::time::timeout_at(deadline, self.registries.tags(&registry, &repository))
            .await
            .map_err(|_| too_slow(&component, pace))??;
        let mut known = self.known_tags(scope, id).await?;
        self.read_anew(scope, id, &reader, &mut known).await?;
        let plan = plan(Situation {
            tags,
            reader: &reader,
            known,
            in_use: self.versions_in_use(scope, id).await?,
            now: self.context.now(),
            every_seconds: EVERY_SECONDS,
        });
        let (skipped, left) = (plan.skipped, plan.left);
        let mut recorder = Recorder::new(self, principal, component);
        let place = Place { scope, component: id, registry, repository, deadline };
        let unreached = Looker::new(self, &place).run(plan, &mut recorder).await?;
        let remaining = left + unreached + u64::from(recorder.stopped);
        let result = SyncResult { skipped, remaining, done: remaining == 0, ..recorder.result };
        Ok((result, recorder.stopped))
    }
}

enum Step {
    Ended(Outcome),
    Turn(Turn),
}

fn too_slow(component: &Component, pace: Pace) -> Error {
    let message = format!(
        "the registry did not list the tags of {} within {} s; it is tried again in the background",
        component.repository,
        pace.budget().as_secs()
    );
    Error::new(ErrorCode::UpstreamFailed, message)
}
