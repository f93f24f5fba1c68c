//! Tenants. Only tenant `default` has `tenant:*`.

use plimsoll_core::{
    Result,
    audit::AuditOutcome,
    id::{RoleBindingId, RoleId, TenantId, UserId},
    identity::{Role, RoleBinding, Tenant, User},
    permission::denied,
};
use plimsoll_protocol::identity::{CreateTenant, CreateUser, CreatedTenant, CreatedUser};
use plimsoll_store::{
    SystemReason, Tx,
    audit::{self, AuditEntry},
    identity::credential,
    resource::{self, ListQuery, Listing},
};

use super::{built_in, first_start::administrator_binding, password::NewPassword, user};
use crate::{App, Caller, Change, Notes, Reply};

/// What a new tenant begins with.
#[derive(Clone)]
struct Beginning {
    roles: Vec<Role>,
    administrator: Option<(User, NewPassword, RoleBinding)>,
}

impl App {
    /// Makes a tenant with its built-in roles and, when asked for, its first administrator.
    pub async fn tenant_create(&self, caller: &Caller, body: CreateTenant) -> Result<Reply> {
        self.only_at_home(caller)?;
        let beginning = self.tenant_beginning(caller, body.administrator.as_ref()).await?;
        let (id, owned) = (self.context.id::<TenantId>(), caller.clone());
        self.mutate_across(caller, SystemReason::Tenants, move |tx, notes| {
            let tenant = fresh(id, &body, notes);
            resource::insert(tx, &tenant)?;
            tx.within(id, |tx| begin(tx, &beginning, &owned, notes))?;
            notes.event("tenant", id, None, "tenant.created", resource::as_json(&tenant)?);
            let patch = resource::as_json(&tenant)?;
            let administrator = beginning.administrator.clone();
            let administrator =
                administrator.map(|(user, password, _)| CreatedUser { user, initial_password: password.made });
            Ok(Change::created("tenants", "tenant", id, CreatedTenant { tenant, administrator })?
                .with_patch(Some(patch)))
        })
        .await
    }

    /// A page of tenants.
    pub async fn tenant_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Tenant>> {
        self.only_at_home(caller)?;
        self.store.list(caller.scope(), "tenant_list", query).await
    }

    fn only_at_home(&self, caller: &Caller) -> Result<()> {
        if caller.tenant() == self.authority()?.home() {
            return Ok(());
        }
        Err(denied(caller.operation.operation().permission, None))
    }

    async fn tenant_beginning(&self, caller: &Caller, administrator: Option<&CreateUser>) -> Result<Beginning> {
        let ids: Vec<RoleId> = (0..built_in::COUNT).map(|_| self.context.id()).collect();
        let roles = built_in::rows(&ids, caller.now);
        let Some(body) = administrator else { return Ok(Beginning { roles, administrator: None }) };
        let password = self.new_password("administrator.password", body.password.as_ref(), &body.name).await?;
        let (user_id, binding_id) = (self.context.id::<UserId>(), self.context.id::<RoleBindingId>());
        let user = user::fresh(user_id, body, password.made.is_some(), caller.now);
        let binding = administrator_binding(&roles, binding_id, user_id, caller.principal.user, caller.now);
        Ok(Beginning { roles, administrator: Some((user, password, binding)) })
    }
}

fn fresh(id: TenantId, body: &CreateTenant, notes: &Notes) -> Tenant {
    Tenant {
        id,
        name: body.name.clone(),
        display_name: body.display_name.clone(),
        tier: body.tier,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
    }
}

/// Writes the rows of the new tenant, and the first line of its own trail.
fn begin(tx: &mut Tx<'_>, beginning: &Beginning, caller: &Caller, notes: &Notes) -> Result<()> {
    for role in &beginning.roles {
        resource::insert(tx, role)?;
    }
    let Some((user, password, binding)) = &beginning.administrator else { return Ok(()) };
    resource::insert(tx, user)?;
    credential::set_password_hash(tx, user.id, &password.hash)?;
    resource::insert(tx, binding)?;
    let entry = AuditEntry {
        id: notes.id(),
        at: notes.now(),
        action: caller.operation.as_str(),
        resource_type: "user",
        resource_id: Some(user.id.to_string()),
        outcome: AuditOutcome::Succeeded,
        error_code: None,
        change: Some(resource::as_json(user)?),
    };
    audit::append(tx, &caller.principal, &caller.origin, entry)
}
