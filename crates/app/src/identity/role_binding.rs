//! Role bindings: who holds which role, everywhere or in one environment.

use plimsoll_core::{
    Error, Result, ValidationError,
    audit::merge_patch,
    environment::Environment,
    id::{ClientId, RoleBindingId, TypedId, UserId},
    identity::{Client, PrincipalRef, Role, RoleBinding, RoleHolder, User, grants_of, may_grant},
    permission::BuiltInRole,
};
use plimsoll_protocol::identity::CreateRoleBinding;
use plimsoll_store::{
    Lock, Tx,
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

impl App {
    /// Gives a role to somebody. Nobody gives what they don't hold.
    pub async fn role_binding_create(&self, caller: &Caller, body: CreateRoleBinding) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let role = check(tx, &body)?;
            if let Some(environment) = body.environment_id {
                governance_allowed(&owned, environment, GUARDED)?;
                body.reason.as_ref().ok_or_else(|| reason_needed("reason"))?;
            }
            let given = grants_of(&role, body.environment_id, access::standing(tx)?);
            may_grant(&owned.principal.grants, &given)?;
            let binding = fresh(&body, &role, &owned, notes);
            resource::insert(tx, &binding)?;
            access::raise(tx, Concerned::Principal(binding.principal.id), notes.now())?;
            let shown = resource::as_json(&binding)?;
            guarded(tx, notes, &owned, &binding, body.reason.as_deref(), [&Value::Null, &shown])?;
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

    /// Takes a role back. In an environment it needs `governance:change` there, and a reason.
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
            match current.environment_id {
                Some(environment) => {
                    governance_allowed(&owned, environment, GUARDED)?;
                    reason.as_ref().ok_or_else(|| reason_needed("reason"))?;
                }
                None => keep_an_administrator(tx, &current)?,
            }
            resource::soft_delete(tx, &current, notes.now())?;
            access::raise(tx, Concerned::Principal(current.principal.id), notes.now())?;
            let before = resource::as_json(&current)?;
            guarded(tx, notes, &owned, &current, reason.as_deref(), [&before, &Value::Null])?;
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

/// A binding in one environment decides about it: the change is noted there, and leaves a packet.
fn guarded(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    binding: &RoleBinding,
    reason: Option<&str>,
    [before, after]: [&Value; 2],
) -> Result<()> {
    let (Some(environment), Some(reason)) = (binding.environment_id, reason) else { return Ok(()) };
    let change = json!({ "reason": reason, "before": before, "after": after });
    notes.audit("governance_change", "environment", environment, Some(change));
    let sealed = RuleChange { noun: "role_binding", id: binding.id.uuid(), name: &binding.role, reason, before, after };
    seal_change(tx, notes, caller, &[environment], &sealed)
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

fn keep_an_administrator(tx: &mut Tx<'_>, binding: &RoleBinding) -> Result<()> {
    let role: Role = resource::get(tx, binding.role_id)?;
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
