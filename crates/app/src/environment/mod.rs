//! Environments.

mod governance;
mod secrets;

use plimsoll_core::{
    Error, Result, ValidationError,
    component::Component,
    environment::Environment,
    id::{EnvironmentId, TypedId},
    in_use::{Reference, in_use},
    promotion::ApprovalPolicy,
};
use plimsoll_protocol::environment::{CreateEnvironment, UpdateEnvironment};
use plimsoll_store::{
    Lock, Tx, environment as rows,
    resource::{self, ListQuery, Listing, Resource},
    target,
};
use serde_json::json;

pub(crate) use governance::{RuleChange, allowed as governance_allowed, reason_needed, seal_change};

use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

impl App {
    /// Makes an environment.
    pub async fn environment_create(&self, caller: &Caller, body: CreateEnvironment) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let id = self.context.id::<EnvironmentId>();
        let sealed = self.seal_environment_secrets(caller, id, body.secret_refs.as_deref()).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let mut environment = fresh(id, &body, notes);
            let inputs = body.secret_refs.as_deref().unwrap_or_default();
            environment.secret_refs = secrets::refs_after(&[], &rows::SpentSecrets::new(), inputs, notes.now())?;
            check(tx, &environment)?;
            resource::insert(tx, &environment)?;
            for secret in &sealed {
                rows::set_secret(tx, id, secret)?;
            }
            notes.event("environment", id, None, "environment.created", resource::as_json(&environment)?);
            Change::created("environments", "environment", id, environment)
        })
        .await
    }

    /// A page of environments that the caller may see.
    pub async fn environment_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Environment>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&Environment::TABLE, &json!({ "id": { "$in": ids } }))?,
        };
        self.store.list(caller.scope(), "environment_list", query).await
    }

    /// One environment.
    pub async fn environment_get(&self, caller: &Caller, id: EnvironmentId) -> Result<Environment> {
        let found = self.store.read(caller.scope(), "environment_get", move |tx| resource::get(tx, id)).await?;
        caller.may_in(id)?;
        Ok(found)
    }

    /// Replaces an environment's writable fields. Secrets stay when `secretRefs` is left out. What decides
    /// about promotions changes only by a holder of `governance:change`, with a reason.
    pub async fn environment_update(
        &self,
        caller: &Caller,
        id: EnvironmentId,
        replace: Replace<UpdateEnvironment>,
    ) -> Result<Reply> {
        let sealed = self.seal_environment_secrets(caller, id, replace.body.secret_refs.as_deref()).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            tx.lock(&Lock::Environment(id))?;
            let current: Environment = resource::get(tx, id)?;
            owned.may_in(id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let body = &replace.body;
            let mut next = Environment {
                revision: current.revision,
                created_at: current.created_at,
                secret_refs: current.secret_refs.clone(),
                ..fresh(id, body, notes)
            };
            if let Some(inputs) = &body.secret_refs {
                let spent = rows::spent_secrets(tx, id)?;
                next.secret_refs = secrets::refs_after(&current.secret_refs, &spent, inputs, notes.now())?;
            }
            governance::check(tx, &owned, &current, &next, body.reason.as_deref(), notes)?;
            check(tx, &next)?;
            resource::update(tx, &mut next)?;
            for gone in secrets::removed(&current.secret_refs, &next.secret_refs) {
                rows::remove_secret(tx, id, gone)?;
            }
            for secret in &sealed {
                rows::set_secret(tx, id, secret)?;
            }
            notes.event("environment", id, None, "environment.updated", resource::as_json(&next)?);
            Change::done("environment", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes an environment without targets that no other one promotes from, and its secrets for good.
    pub async fn environment_delete(&self, caller: &Caller, id: EnvironmentId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            tx.lock(&Lock::Environment(id))?;
            let current: Environment = resource::get(tx, id)?;
            owned.may_in(id)?;
            owned.check_revision(current.revision)?;
            let references = references(tx, id)?;
            if !references.is_empty() {
                return Err(in_use("environment", &references));
            }
            for window in plimsoll_store::freeze_window::of_environment(tx, id)? {
                resource::soft_delete(tx, &window, notes.now())?;
            }
            resource::soft_delete(tx, &current, notes.now())?;
            rows::remove_secrets(tx, id)?;
            notes.event("environment", id, None, "environment.deleted", json!({}));
            Ok(Change::gone("environment", id))
        })
        .await
    }
}

fn fresh(id: EnvironmentId, body: &CreateEnvironment, notes: &Notes) -> Environment {
    let body = body.clone();
    Environment {
        id,
        name: body.name,
        display_name: body.display_name,
        description: body.description,
        order_index: body.order_index,
        promotes_from: body.promotes_from,
        approval_policy_id: body.approval_policy_id,
        gates: body.gates,
        soak_seconds: body.soak_seconds,
        strategy: body.strategy,
        exclusive: body.exclusive,
        supersede_waiting: body.supersede_waiting,
        placements: body.placements,
        variables: body.variables,
        scoped_variables: body.scoped_variables,
        secret_refs: Vec::new(),
        labels: body.labels,
        timezone: body.timezone,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}

/// Everything that an environment refers to must exist, and the promotion graph stays without cycles.
fn check(tx: &mut Tx<'_>, environment: &Environment) -> Result<()> {
    let mut wrong = Vec::new();
    for (index, placement) in environment.placements.iter().enumerate() {
        let component = placement.component_id;
        if resource::find::<Component>(tx, component)?.is_none() {
            let field = format!("placements[{index}].componentId");
            let message = format!("there is no component with id {component}");
            wrong.push(ValidationError::new(field, "unknown_reference", message));
        }
    }
    if let Some(policy) = environment.approval_policy_id
        && resource::find::<ApprovalPolicy>(tx, policy)?.is_none()
    {
        let message = format!("there is no approval policy with id {policy}");
        wrong.push(ValidationError::new("approvalPolicyId", "unknown_reference", message));
    }
    if !wrong.is_empty() {
        return Err(Error::invalid(wrong));
    }
    rows::graph(tx)?.with(environment.id, &environment.name, &environment.promotes_from).map(drop)
}

/// What would lose its place with the environment.
fn references(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<Vec<Reference>> {
    let mut found: Vec<Reference> = target::of_environment(tx, id)?
        .into_iter()
        .take(100)
        .map(|one| Reference::new("target", one.id, one.name))
        .collect();
    let after = rows::all(tx)?.into_iter().filter(|one| one.promotes_from.environment_ids.contains(&id));
    found.extend(after.map(|one| Reference::new("environment", one.id, one.name)));
    Ok(found)
}

/// The environment, locked against being removed while something is put into it.
pub(crate) fn hold(tx: &mut Tx<'_>, caller: &Caller, id: EnvironmentId, field: &str) -> Result<Environment> {
    tx.lock(&Lock::Environment(id))?;
    let found = resource::find::<Environment>(tx, id)?.ok_or_else(|| {
        Error::field(field, "unknown_reference", format!("there is no environment with id {}", id.uuid()))
    })?;
    caller.may_in(id)?;
    Ok(found)
}
