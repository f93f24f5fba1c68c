//! Going back: a job that puts sealed specs of an earlier success back.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Error, ErrorCode, Result,
    actor::Actor,
    deployment::{
        DeploymentJob, JobKind, Rollback,
        history::{self, Destination, HistoryEntry, Scope},
        plan::{self, Chosen, PlanInput},
    },
    environment::Environment,
    id::{EnvironmentId, PromotionId, TargetId},
    inventory::Target,
    release::Release,
};
use plimsoll_protocol::deployment::CreateRollback;
use plimsoll_store::{
    Lock, Tx,
    deployment::{self as jobs, running, spec},
    promotion as promotions,
    resource::{self, ListQuery, Listing, Resource},
    rollback::{self as rows, RollbackRow},
};
use serde_json::json;

use crate::{
    App, Caller, Change, Notes, Reply,
    agent::Agents,
    deployment::create::{NewJob, PlannedSpec, create_job},
    promotion,
};

impl App {
    /// Starts a job that goes back along the application's own history in the environment.
    pub async fn rollback_create(&self, caller: &Caller, body: CreateRollback) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let environment: Environment = resource::get(tx, body.environment_id)?;
            owned.may_in(environment.id)?;
            let deployed = rows::applications(tx, environment.id)?;
            let application = history::application(body.application.as_deref(), &deployed)?;
            tx.lock(&Lock::Application(environment.id, &application))?;
            if let Some(open) = jobs::open_job(tx, environment.id, &application)? {
                return Err(under_way(&open));
            }
            let entries = entries(tx, environment.id, &application)?;
            let to = history::destination(&entries, body.to_release_id)?;
            let job = start(tx, notes, &owned, &body, &environment, &application, &to)?;
            let held = hold(tx, notes, environment.id, &application)?;
            let row = RollbackRow {
                rollback: Rollback {
                    id: job.id,
                    environment_id: environment.id,
                    application,
                    from_release_id: to.from_release_id,
                    to_release_id: to.to_release_id,
                    target_ids: body.target_ids.clone().unwrap_or_default(),
                    reason: body.reason.clone(),
                    undoes_promotion_id: to.undoes,
                    held_promotion_ids: held,
                    requested_by: Actor::from(&owned.principal),
                    requested_at: notes.now(),
                    status: job.status,
                    finished_at: None,
                },
                revision: 1,
            };
            resource::insert(tx, &row)?;
            Change::created("deployment-jobs", "deployment_job", job.id, job)
        })
        .await
    }

    /// A page of rollbacks in environments that the caller may see, each as its job stands now.
    pub async fn rollback_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Rollback>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&RollbackRow::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        let page = self.store.list::<RollbackRow>(caller.scope(), "rollback_list", query).await?;
        let ids: Vec<_> = page.items.iter().map(|row| row.rollback.id).collect();
        let found = self
            .store
            .read(caller.scope(), "rollback_jobs", move |tx| {
                ids.iter().map(|id| resource::find::<DeploymentJob>(tx, *id)).collect::<Result<Vec<_>>>()
            })
            .await?;
        let states: BTreeMap<_, _> =
            found.into_iter().flatten().map(|job| (job.id, (job.status, job.finished_at))).collect();
        Ok(page.map(|row| {
            let (status, finished_at) = states.get(&row.rollback.id).copied().unwrap_or((row.rollback.status, None));
            Rollback { status, finished_at, ..row.rollback }
        }))
    }
}

fn under_way(open: &DeploymentJob) -> Error {
    Error::new(
        ErrorCode::StateConflict,
        format!(
            "job {} of this application is {}; cancel it first, with rollback if it shall put back what it changed",
            open.id, open.status
        ),
    )
    .details(json!({ "jobId": open.id, "state": open.status, "allowed": ["cancel"] }))
}

/// The application's history there, oldest first.
fn entries(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<HistoryEntry>> {
    let mut jobs = jobs::history(tx, environment, application)?;
    jobs.reverse();
    jobs.into_iter()
        .map(|job| {
            let release = resource::find_any::<Release>(tx, job.release_id)?;
            let part =
                resource::find::<RollbackRow>(tx, job.id)?.is_some_and(|row| !row.rollback.target_ids.is_empty());
            Ok(HistoryEntry {
                job_id: job.id,
                kind: job.kind,
                release_id: job.release_id,
                version: job.release_version,
                blocked: release.is_some_and(|one| one.deprecation.is_some_and(|why| why.block)),
                status: job.status,
                remains: rows::remains_of(tx, job.id)?,
                scope: if part { Scope::Part } else { Scope::Whole },
                promotion_id: match job.kind {
                    // A rollback's job names the promotion that it undoes.
                    JobKind::Rollback => None,
                    JobKind::Deploy | JobKind::Redeploy => job.promotion_id,
                },
            })
        })
        .collect()
}

fn start(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    body: &CreateRollback,
    environment: &Environment,
    application: &str,
    to: &Destination,
) -> Result<DeploymentJob> {
    let runs: BTreeMap<TargetId, _> = running::of_application(tx, environment.id, application)?
        .into_iter()
        .map(|one| (one.target, one.spec))
        .collect();
    let mut ids: BTreeSet<TargetId> = rows::targets_of(tx, to.specs_of)?.into_iter().collect();
    ids.extend(runs.keys());
    let (mut targets, mut specs, mut agents) = (Vec::new(), BTreeMap::new(), Agents::default());
    for id in ids {
        let Some(target) = resource::find::<Target>(tx, id)? else { continue };
        let kept = spec::find(tx, to.specs_of, id)?.and_then(|kept| kept.spec);
        let planned = PlannedSpec {
            spec: kept,
            previous: runs.get(&id).cloned(),
            agent: agents.of(tx, &target)?.map(|one| one.id),
        };
        specs.insert(id, planned);
        targets.push(target);
    }
    let inputs: Vec<PlanInput<'_>> = targets
        .iter()
        .map(|target| {
            let planned = specs.get(&target.id);
            PlanInput {
                target_id: target.id,
                name: &target.name,
                labels: &target.labels,
                skip: None,
                spec: planned.and_then(|one| one.spec.as_ref()),
                running: planned.and_then(|one| one.previous.as_ref()),
            }
        })
        .collect();
    let wanted: Option<BTreeSet<TargetId>> = body.target_ids.as_ref().map(|ids| ids.iter().copied().collect());
    let chosen = wanted.as_ref().map_or(Chosen::All, Chosen::These);
    let plan = plan::make(&environment.strategy, &inputs, chosen)?;
    let release: Release =
        resource::find_any(tx, to.to_release_id)?.ok_or_else(|| Error::not_found(to.to_release_id))?;
    let new = NewJob {
        kind: JobKind::Rollback,
        // One about a few targets undoes nothing as a whole.
        promotion_id: to.undoes.filter(|_| wanted.is_none()),
        release_id: release.id,
        release_version: release.version,
        from_release_id: Some(to.from_release_id),
        application: application.to_owned(),
        environment_id: environment.id,
        strategy: environment.strategy.clone(),
        plan,
        specs,
        requested_by: Actor::from(&caller.principal),
    };
    create_job(tx, notes, new)
}

/// Waiting promotions of the application are held: nobody wants them right after going back.
fn hold(tx: &mut Tx<'_>, notes: &mut Notes, environment: EnvironmentId, application: &str) -> Result<Vec<PromotionId>> {
    let mut held = Vec::new();
    for known in promotions::waiting(tx, environment, application)? {
        let id = known.promotion.id;
        tx.lock(&Lock::Promotion(id))?;
        let mut row: promotions::PromotionRow = resource::get(tx, id)?;
        if row.promotion.status.is_open() && !row.promotion.held {
            row.promotion.held = true;
            promotion::save(tx, notes, &mut row)?;
            held.push(id);
        }
    }
    Ok(held)
}
