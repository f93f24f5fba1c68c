//! Targets.

mod connection;

use plimsoll_core::{
    Error, ErrorCode, Result, ValidationError,
    id::TargetId,
    integration::Integration,
    inventory::{Agent, Target, TargetStatus, TargetType},
};
use plimsoll_protocol::inventory::{CreateTarget, TargetBody, UpdateTarget};
use plimsoll_store::{
    Lock, Tx, deployment,
    resource::{self, ListQuery, Listing, Resource},
    target as rows,
};
use serde_json::json;

use crate::{App, Caller, Change, Notes, Reply, environment, integration, replace::Replace};

/// What changes without anybody's doing between a GET and a PUT.
const OBSERVED: &[&str] = &["status", "running", "endpoints", "lastHealthCheckAt", "reconciliationPending"];

impl App {
    /// Makes a target.
    pub async fn target_create(&self, caller: &Caller, body: CreateTarget) -> Result<Reply> {
        connection::check(&body)?;
        self.check_type(body.kind)?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            environment::hold(tx, &owned, body.environment_id, "environmentId")?;
            check_references(tx, &body)?;
            let target = fresh(notes.id(), &body, notes);
            resource::insert(tx, &target)?;
            let id = target.id;
            notes.event("target", id, Some(parent(&target)), "target.created", resource::as_json(&target)?);
            Change::created("targets", "target", id, target)
        })
        .await
    }

    /// A page of targets in environments that the caller may see.
    pub async fn target_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Target>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&Target::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        let found: Listing<Target> = self.store.list(caller.scope(), "target_list", query).await?;
        let targets = found.items.clone();
        let filled = self
            .store
            .read(caller.scope(), "target_list_running", move |tx| {
                targets.iter().map(|one| rows::with_running(tx, one.clone())).collect::<Result<Vec<_>>>()
            })
            .await?;
        Ok(Listing { items: filled, ..found })
    }

    /// One target, with what runs there.
    pub async fn target_get(&self, caller: &Caller, id: TargetId) -> Result<Target> {
        let found = self
            .store
            .read(caller.scope(), "target_get", move |tx| {
                let target = resource::get(tx, id)?;
                rows::with_running(tx, target)
            })
            .await?;
        caller.may_in(found.environment_id)?;
        Ok(found)
    }

    /// Replaces a target's writable fields. Its environment and its type stay what they are.
    pub async fn target_update(&self, caller: &Caller, id: TargetId, replace: Replace<UpdateTarget>) -> Result<Reply> {
        connection::check(&replace.body)?;
        self.check_type(replace.body.kind)?;
        let owned = caller.clone();
        let replace = replace.without(OBSERVED);
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Target(id))?;
            let current: Target = resource::get(tx, id)?;
            owned.may_in(current.environment_id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            check_fixed(&current, &replace.body)?;
            check_references(tx, &replace.body)?;
            let mut next = Target {
                status: current.status,
                reconciliation_pending: current.reconciliation_pending,
                last_health_check_at: current.last_health_check_at,
                endpoints: current.endpoints.clone(),
                revision: current.revision,
                created_at: current.created_at,
                ..fresh(id, &replace.body, notes)
            };
            resource::update(tx, &mut next)?;
            crate::deployment::wake_waiting(tx, id, notes.now())?;
            notes.event("target", id, Some(parent(&next)), "target.updated", resource::as_json(&next)?);
            let shown = rows::with_running(tx, next)?;
            Change::done("target", id, &resource::as_json(&current)?, shown)
        })
        .await
    }

    /// Forgets a target. Its containers keep running: the answer names the applications they belong to.
    pub async fn target_delete(&self, caller: &Caller, id: TargetId) -> Result<(Reply, Vec<String>)> {
        let left =
            self.store.read(caller.scope(), "target_left", move |tx| deployment::running::on_target(tx, id)).await?;
        let reply = self.target_forget(caller, id).await?;
        Ok((reply, left.into_iter().map(|one| one.application).collect()))
    }

    async fn target_forget(&self, caller: &Caller, id: TargetId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Target(id))?;
            let current: Target = resource::get(tx, id)?;
            owned.may_in(current.environment_id)?;
            owned.check_revision(current.revision)?;
            if let Some(task) = deployment::in_hand(tx, id)? {
                return Err(busy(&task.task.id.to_string(), task.task.status.as_str()));
            }
            let left = rows::with_running(tx, current.clone())?.running;
            for one in &left {
                deployment::running::remove(tx, id, &one.application)?;
            }
            resource::soft_delete(tx, &current, notes.now())?;
            let applications: Vec<&str> = left.iter().map(|one| one.application.as_str()).collect();
            let data = json!({ "leftRunning": applications });
            notes.event("target", id, Some(parent(&current)), "target.deleted", data.clone());
            Ok(Change::gone("target", id).with_patch(Some(data)))
        })
        .await
    }

    fn check_type(&self, kind: TargetType) -> Result<()> {
        match (kind, self.settings.allow_process_hosts) {
            (TargetType::DockerHost, _) | (TargetType::ProcessHost, true) => Ok(()),
            (TargetType::ProcessHost, false) => Err(Error::new(
                ErrorCode::RuleViolated,
                "this server does not allow targets of the type process_host: plain processes are isolated less than containers; its operator can allow them in the server's settings",
            )),
        }
    }
}

fn parent(target: &Target) -> uuid::Uuid {
    plimsoll_core::id::TypedId::uuid(target.environment_id)
}

fn busy(task: &str, status: &str) -> Error {
    let message = format!("task {task} is {status} on the target; cancel its job or wait for its end");
    Error::new(ErrorCode::InUse, message)
        .details(json!({ "references": [{ "type": "task", "id": task, "name": status }] }))
}

fn fresh(id: TargetId, body: &TargetBody, notes: &Notes) -> Target {
    let body = body.clone();
    Target {
        id,
        environment_id: body.environment_id,
        name: body.name,
        kind: body.kind,
        connection: body.connection,
        agent_id: body.agent_id,
        agent_selector: body.agent_selector,
        labels: body.labels,
        status: TargetStatus::Unknown,
        maintenance: body.maintenance,
        reconciliation_pending: false,
        last_health_check_at: None,
        running: Vec::new(),
        endpoints: Vec::new(),
        registry_mirrors: body.registry_mirrors,
        adopt: body.adopt,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}

/// Everything that a target refers to must exist. All that is wrong is listed at once.
fn check_references(tx: &mut Tx<'_>, body: &TargetBody) -> Result<()> {
    let mut wrong = Vec::new();
    if let Some(agent) = body.agent_id {
        tx.lock(&Lock::Agent(agent))?;
        if resource::find::<Agent>(tx, agent)?.is_none() {
            wrong.push(absent("agentId", "agent", agent));
        }
    }
    for id in body.registry_mirrors.keys() {
        integration::refer(tx, *id)?;
        if resource::find::<Integration>(tx, *id)?.is_none() {
            wrong.push(absent(&format!("registryMirrors.{id}"), "integration", id));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

fn absent(field: &str, noun: &str, id: impl std::fmt::Display) -> ValidationError {
    ValidationError::new(field, "unknown_reference", format!("there is no {noun} with id {id}"))
}

/// What runs on a target was put there for its environment and by its type's driver.
fn check_fixed(current: &Target, body: &TargetBody) -> Result<()> {
    let mut wrong = Vec::new();
    if body.environment_id != current.environment_id {
        let message = "a target stays in its environment; make another one there";
        wrong.push(ValidationError::new("environmentId", "fixed", message));
    }
    if body.kind != current.kind {
        wrong.push(ValidationError::new("type", "fixed", "a target keeps its type; make another one"));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}
