//! Role bindings: who holds which role, everywhere or in one environment.

use plimsoll_core::{
    Error, Result, ValidationError,
    audit::merge_patch,
    environment::Environment,
    id::{ClientId, EnvironmentId, RoleBindingId, TypedId, UserId},
    identity::{Client, PrincipalRef, Role, RoleBinding, RoleHolder, User, grants_of, may_grant},
    permission::{BuiltInRole, Permission, denied},
};
use plimsoll_protocol::identity::CreateRoleBinding;
use plimsoll_store::{
    Lock, Tx, environment as environments,
    identity::access::{self, Concerned},
    resource::{self, ListQuery, Listing},
};
use serde_json::{Value, json};

use super::user::refuse_last_administrator;
use crate::{
    App, Caller, Change, Notes, Reply,
    environment::{RuleChange, governance_allowed, reason_needed, seal_change},
};

/// How a refusal names what is guarded.
const GUARDED: &str = "role bindings";
/// Whoever holds one of these everywhere has a say about each environment.
const DECIDING: &[Permission] =
    &[Permission::PromotionApprove, Permission::PromotionOverride, Permission::GovernanceChange];

impl App {
    /// Gives a role to somebody. Nobody gives what they don't hold.
    pub async fn role_binding_create(&self, caller: &Caller, body: CreateRoleBinding) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let role = check(tx, &body)?;
            guard(&owned, body.environment_id, &role, body.reason.as_deref())?;
            let given = grants_of(&role, body.environment_id, access::standing(tx)?);
            may_grant(&owned.principal.grants, &given)?;
            let binding = fresh(&body, &role, &owned, notes);
            resource::insert(tx, &binding)?;
            access::raise(tx, Concerned::Principal(binding.principal.id), notes.now())?;
            let shown = resource::as_json(&binding)?;
            let reason = body.reason.as_deref().filter(|_| decides(binding.environment_id, &role));
            note(tx, notes, &owned, &binding, reason, [&Value::Null, &shown])?;
            notes.event("role_binding", binding.id, None, "role_binding.created", shown.clone());
            let patch = merge_patch(&json!({}), &with_reason(shown, body.reason.as_deref()));
            Ok(Change::created("role-bindings", "role_binding", binding.id, binding)?.with_patch(Some(patch)))
        })
        .await
    }

    /// A page of role bindings.
    pub async fn role_binding_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<RoleBinding>> {
        self.store.list(caller.scope(), "role_binding_list", query).await
    }

    /// One role binding.
    pub async fn role_binding_get(&self, caller: &Caller, id: RoleBindingId) -> Result<RoleBinding> {
        self.store.read(caller.scope(), "role_binding_get", move |tx| resource::get(tx, id)).await
    }

    /// Takes a role back. Where it decides about environments that needs `governance:change`, and a reason.
    pub async fn role_binding_delete(
        &self,
        caller: &Caller,
        id: RoleBindingId,
        reason: Option<String>,
    ) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: RoleBinding = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            let role: Role = resource::get(tx, current.role_id)?;
            guard(&owned, current.environment_id, &role, reason.as_deref())?;
            match current.environment_id {
                Some(_) => {}
                None => keep_an_administrator(tx, &current, &role)?,
            }
            resource::soft_delete(tx, &current, notes.now())?;
            access::raise(tx, Concerned::Principal(current.principal.id), notes.now())?;
            let before = resource::as_json(&current)?;
            let guarded = reason.as_deref().filter(|_| decides(current.environment_id, &role));
            note(tx, notes, &owned, &current, guarded, [&before, &Value::Null])?;
            notes.event("role_binding", id, None, "role_binding.deleted", json!({}));
            let patch = reason.as_ref().map(|reason| json!({ "reason": reason }));
            Ok(Change::gone("role_binding", id).with_patch(patch))
        })
        .await
    }
}

fn fresh(body: &CreateRoleBinding, role: &Role, caller: &Caller, notes: &Notes) -> RoleBinding {
    RoleBinding {
        id: notes.id(),
        role_id: role.id,
        role: role.name.clone(),
        principal: body.principal,
        environment_id: body.environment_id,
        created_by: caller.principal.user,
        created_at: notes.now(),
        revision: 1,
        deleted_at: None,
    }
}

/// Whether a binding decides about promotions: any in one environment, and one that holds everywhere if its
/// role lets people approve, override or change the rules.
fn decides(environment: Option<EnvironmentId>, role: &Role) -> bool {
    environment.is_some() || role.permissions.iter().any(|one| DECIDING.contains(one))
}

/// Refuses a change of a binding that decides by whoever may not change rules there or gives no reason.
fn guard(caller: &Caller, environment: Option<EnvironmentId>, role: &Role, reason: Option<&str>) -> Result<()> {
    if !decides(environment, role) {
        return Ok(());
    }
    match environment {
        Some(environment) => governance_allowed(caller, environment, GUARDED)?,
        None if caller.principal.grants.everywhere(Permission::GovernanceChange) => {}
        None => return Err(denied(Permission::GovernanceChange, None)),
    }
    reason.map(drop).ok_or_else(|| reason_needed("reason"))
}

/// A guarded change is noted in each environment that it decides about, and leaves a packet there.
fn note(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    binding: &RoleBinding,
    reason: Option<&str>,
    [before, after]: [&Value; 2],
) -> Result<()> {
    let Some(reason) = reason else { return Ok(()) };
    let change = json!({ "reason": reason, "before": before, "after": after });
    let places = match binding.environment_id {
        Some(environment) => {
            notes.audit("governance_change", "environment", environment, Some(change));
            vec![environment]
        }
        None => {
            notes.audit("governance_change", "role_binding", binding.id, Some(change));
            environments::all(tx)?.into_iter().map(|one| one.id).collect()
        }
    };
    let sealed = RuleChange { noun: "role_binding", id: binding.id.uuid(), name: &binding.role, reason, before, after };
    seal_change(tx, notes, caller, &places, &sealed)
}

/// Everything that a binding refers to must exist.
fn check(tx: &mut Tx<'_>, body: &CreateRoleBinding) -> Result<Role> {
    let mut wrong = Vec::new();
    let mut absent = |field: &str, noun: &str, id: uuid::Uuid| {
        wrong.push(ValidationError::new(field, "unknown_reference", format!("there is no {noun} with id {id}")));
    };
    let role: Option<Role> = resource::find(tx, body.role_id)?;
    if role.is_none() {
        absent("roleId", "role", body.role_id.uuid());
    }
    if !principal_exists(tx, body.principal)? {
        absent("principal.id", &format!("active {}", body.principal.kind), body.principal.id);
    }
    if let Some(id) = body.environment_id
        && resource::find::<Environment>(tx, id)?.is_none()
    {
        absent("environmentId", "environment", id.uuid());
    }
    role.filter(|_| wrong.is_empty()).ok_or_else(|| Error::invalid(wrong))
}

fn principal_exists(tx: &mut Tx<'_>, principal: PrincipalRef) -> Result<bool> {
    Ok(match principal.kind {
        RoleHolder::User => resource::find::<User>(tx, UserId::from_uuid(principal.id))?
            .is_some_and(|user| user.active && user.service_of.is_none()),
        RoleHolder::Client => {
            resource::find::<Client>(tx, ClientId::from_uuid(principal.id))?.is_some_and(|client| client.active)
        }
    })
}

fn keep_an_administrator(tx: &mut Tx<'_>, binding: &RoleBinding, role: &Role) -> Result<()> {
    if role.built_in && role.name == BuiltInRole::Admin.name() && binding.principal.kind == RoleHolder::User {
        refuse_last_administrator(tx, UserId::from_uuid(binding.principal.id))?;
    }
    Ok(())
}

fn with_reason(mut shown: serde_json::Value, reason: Option<&str>) -> serde_json::Value {
    if let Some(reason) = reason {
        shown["reason"] = reason.into();
    }
    shown
}
