//! Going back: a job that puts sealed specs of an earlier success back, after what is under way was stopped.

mod history;
mod images;
mod specs;

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, ErrorCode, Result,
    actor::Actor,
    deployment::{
        CancelMode, DeploymentJob, JobKind, Rollback,
        history::{self as path, Destination},
        plan::{self, Chosen, PlanInput},
    },
    environment::Environment,
    id::{EnvironmentId, JobId, PromotionId},
    release::Release,
};
use plimsoll_protocol::deployment::CreateRollback;
use plimsoll_store::{
    Lock, Tx, deployment as jobs, promotion as promotions,
    resource::{self, ListQuery, Listing, Resource},
    rollback::{self as rows, RollbackRow},
};
use serde_json::json;

pub(crate) use self::specs::renew;
use self::{images::Checked, specs::Whole};
use crate::{
    App, Caller, Change, Notes, Reply,
    deployment::{
        cancel::{Stop, cancel_job},
        create::{NewJob, create_job},
    },
    promotion::{
        self,
        owner::{self, Claims},
    },
};

impl App {
    /// Starts a job that goes back along the application's own history in the environment. What is under way
    /// is stopped first, in its bounded way, and the job waits for its end.
    pub async fn rollback_create(&self, caller: &Caller, body: CreateRollback) -> Result<Reply> {
        let owned = caller.clone();
        let asked = self.checked_images(caller, &body);
        let wanted = body.clone();
        self.ask_then(caller, asked, move |checked, tx, notes| create(tx, notes, &owned, &wanted, checked)).await
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

/// Where a rollback goes, and in which environment and application.
struct Way {
    environment: Environment,
    application: String,
    to: Destination,
}

/// Finds the way, if the caller may go it.
fn way(tx: &mut Tx<'_>, caller: &Caller, body: &CreateRollback) -> Result<Way> {
    let environment: Environment = resource::get(tx, body.environment_id)?;
    caller.may_in(environment.id)?;
    let deployed = rows::applications(tx, environment.id)?;
    let application = path::application(body.application.as_deref(), &deployed)?;
    let entries = history::entries(tx, environment.id, &application)?;
    let to = path::destination(&entries, body.to_release_id)?;
    Ok(Way { environment, application, to })
}

fn create(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    body: &CreateRollback,
    checked: &Checked,
) -> Result<Change<DeploymentJob>> {
    let known = way(tx, caller, body)?;
    tx.lock(&Lock::Environment(known.environment.id))?;
    tx.lock(&Lock::Application(known.environment.id, &known.application))?;
    let way = way(tx, caller, body)?;
    let Way { environment, application, to } = &way;
    if to.specs_of != checked.specs_of {
        let message = "what runs here changed while the images were looked for; repeat the call";
        return Err(Error::new(ErrorCode::VersionMismatch, message));
    }
    let whole = specs::whole(tx, body, environment, application, to)?;
    // What comes back may have gone to another application meanwhile.
    owner::check(tx, environment, application, &whole.components(), Claims::AtWork)?;
    // Promotions before jobs: the order in which everybody locks.
    let held = hold(tx, notes, environment.id, application)?;
    let stopped = stop(tx, notes, caller, body, &way)?;
    let job = start(tx, notes, caller, body, &way, whole)?;
    let row = RollbackRow {
        rollback: Rollback {
            id: job.id,
            environment_id: environment.id,
            application: application.clone(),
            from_release_id: to.from_release_id,
            to_release_id: to.to_release_id,
            target_ids: body.target_ids.clone().unwrap_or_default(),
            reason: body.reason.clone(),
            undoes_promotion_id: to.undoes,
            held_promotion_ids: held,
            stopped_job_ids: stopped,
            unchecked_images: checked.unchecked.clone(),
            requested_by: Actor::from(&caller.principal),
            requested_at: notes.now(),
            status: job.status,
            finished_at: None,
        },
        revision: 1,
    };
    resource::insert(tx, &row)?;
    Change::created("deployment-jobs", "deployment_job", job.id, job)
}

/// Stops what is under way. What it changed is put back by the rollback itself.
fn stop(tx: &mut Tx<'_>, notes: &mut Notes, caller: &Caller, body: &CreateRollback, way: &Way) -> Result<Vec<JobId>> {
    let mut stopped = Vec::new();
    for open in jobs::open_jobs(tx, way.environment.id, &way.application)? {
        let why = format!("a rollback takes its place: {}", body.reason);
        cancel_job(tx, notes, open.id, Stop::new(&caller.principal, CancelMode::Keep, Some(why)))?;
        stopped.push(open.id);
    }
    Ok(stopped)
}

fn start(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    body: &CreateRollback,
    way: &Way,
    whole: Whole,
) -> Result<DeploymentJob> {
    let Way { environment, application, to } = way;
    let inputs: Vec<PlanInput<'_>> = whole
        .targets
        .iter()
        .map(|place| {
            let planned = whole.specs.get(&place.target.id);
            PlanInput {
                target_id: place.target.id,
                name: &place.target.name,
                labels: &place.target.labels,
                skip: place.skip,
                spec: planned.and_then(|one| one.spec.as_ref()),
                running: planned.and_then(|one| one.previous.as_ref()),
                kept: None,
            }
        })
        .collect();
    let wanted = specs::wanted(body);
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
        application: application.clone(),
        environment_id: environment.id,
        strategy: environment.strategy.clone(),
        plan,
        specs: whole.specs,
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
