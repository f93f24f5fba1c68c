//! Roles.

use std::collections::BTreeSet;

use plimsoll_core::{
    Result,
    id::RoleId,
    identity::{Role, RoleBinding, may_edit_role, may_make_role},
    in_use::{Reference, in_use},
    permission::Permission,
};
use plimsoll_protocol::identity::{CreateRole, UpdateRole};
use plimsoll_store::{
    IntoValue, Lock, Tx,
    identity::{
        access::{self, Concerned},
        credential, holders_of,
    },
    resource::{self, ListQuery, Listing},
};
use serde_json::json;

use super::subject;
use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

impl App {
    /// Makes a role of permissions that the caller holds.
    pub async fn role_create(&self, caller: &Caller, body: CreateRole) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let role = fresh(&body, notes);
            may_make_role(&owned.principal.grants, &role.permissions)?;
            resource::insert(tx, &role)?;
            notes.event("role", role.id, None, "role.created", resource::as_json(&role)?);
            Change::created("roles", "role", role.id, role)
        })
        .await
    }

    /// A page of roles.
    pub async fn role_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Role>> {
        self.store.list(caller.scope(), "role_list", query).await
    }

    /// One role.
    pub async fn role_get(&self, caller: &Caller, id: RoleId) -> Result<Role> {
        self.store.read(caller.scope(), "role_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces a role's writable fields. All tokens of the tenant are stale then.
    pub async fn role_update(&self, caller: &Caller, id: RoleId, replace: Replace<UpdateRole>) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: Role = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let wanted = fresh(&replace.body, notes);
            may_edit_role(&owned.principal.grants, &held_by(tx, &owned)?, &current, &wanted.permissions)?;
            let mut next = Role { id, revision: current.revision, created_at: current.created_at, ..wanted };
            resource::update(tx, &mut next)?;
            if next.name != current.name {
                rename_in_bindings(tx, &next)?;
            }
            access::raise(tx, Concerned::Everybody, notes.now())?;
            notes.event("role", id, None, "role.updated", resource::as_json(&next)?);
            Change::done("role", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes a role that nobody holds.
    pub async fn role_delete(&self, caller: &Caller, id: RoleId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: Role = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            may_edit_role(&owned.principal.grants, &held_by(tx, &owned)?, &current, &[])?;
            let bindings: Vec<RoleBinding> = resource::find_by(tx, "role_id", id.into_value())?;
            if !bindings.is_empty() {
                let reference = |one: &RoleBinding| {
                    Reference::new("role_binding", one.id, format!("{} {}", one.principal.kind, one.principal.id))
                };
                return Err(in_use("role", &bindings.iter().map(reference).collect::<Vec<_>>()));
            }
            resource::soft_delete(tx, &current, notes.now())?;
            notes.event("role", id, None, "role.deleted", json!({}));
            Ok(Change::gone("role", id))
        })
        .await
    }
}

fn fresh(body: &CreateRole, notes: &Notes) -> Role {
    let permissions: BTreeSet<Permission> = body.permissions.iter().copied().collect();
    Role {
        id: notes.id(),
        name: body.name.clone(),
        description: body.description.clone(),
        permissions: permissions.into_iter().collect(),
        built_in: false,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}

/// The roles that the caller holds, anywhere.
fn held_by(tx: &mut Tx<'_>, caller: &Caller) -> Result<BTreeSet<RoleId>> {
    let Some(principal) = subject::holder(caller.principal.kind, caller.principal.id) else {
        return Ok(BTreeSet::new());
    };
    Ok(holders_of(tx, principal)?.into_iter().map(|binding| binding.role_id).collect())
}

/// Bindings show their role's name.
fn rename_in_bindings(tx: &mut Tx<'_>, role: &Role) -> Result<()> {
    for binding in resource::find_by::<RoleBinding>(tx, "role_id", role.id.into_value())? {
        credential::note_use(tx, &RoleBinding { role: role.name.clone(), ..binding })?;
    }
    Ok(())
}
