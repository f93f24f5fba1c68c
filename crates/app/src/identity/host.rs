//! `plimsoll admin` on the server's host: who can open the database may do this, and it is in the trail.

use plimsoll_authority::{
    password::{PasswordCost, Passwords, initial_password},
    secret::SecretString,
};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::{AuditOutcome, Origin, Principal, merge_patch},
    context::Context,
    id::{AuditEventId, RoleBindingId, TypedId},
    identity::{PrincipalRef, Role, RoleHolder, Tenant, User},
    permission::BuiltInRole,
};
use plimsoll_store::{
    IntoValue, Lock, Scope, Store, SystemReason, Tx,
    audit::{self, AuditEntry},
    identity::{
        access::{self, Concerned},
        credential, holders_of, revocation, tenant_by_name,
    },
    resource,
};
use serde_json::{Value, json};

use super::{
    first_start::{administrator_binding, server_principal},
    user::end_sessions,
};
use crate::oauth::account_subject;

const SCOPE: Scope = Scope::System(SystemReason::Administration);

/// A user, as somebody on the host names them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The tenant's name.
    pub tenant: String,
    /// The user's name.
    pub user: String,
}

/// What somebody on the host may do. The server may run meanwhile.
pub struct HostAdministration {
    store: Store,
    context: Context,
    cost: PasswordCost,
}

impl HostAdministration {
    /// Over an opened database.
    #[must_use]
    pub const fn new(store: Store, context: Context) -> Self {
        Self { store, context, cost: PasswordCost::RECOMMENDED }
    }

    /// Gives a user a password that is good once, ends their sessions and forgets failed attempts. Print the
    /// password on a terminal alone.
    pub async fn reset_password(&self, account: Account) -> Result<SecretString> {
        let password = initial_password(&self.context);
        let hash = Passwords::new(self.cost, &self.context)?.hash(&password, &self.context)?;
        self.change(account, "admin_reset_password", move |tx, user, now| {
            credential::set_password_hash(tx, user.id, &hash)?;
            end_sessions(tx, user.id, now)?;
            user.must_change_password = true;
            Ok(json!({ "password": "[changed]" }))
        })
        .await?;
        Ok(password)
    }

    /// Activates a user and forgets failed attempts, so that they can sign in at once.
    pub async fn unlock(&self, account: Account) -> Result<()> {
        self.change(account, "admin_unlock", |tx, user, _| {
            revocation::restore(tx, user.id.uuid())?;
            user.active = true;
            Ok(json!({}))
        })
        .await
    }

    /// Gives a user the role `admin` in their whole tenant.
    pub async fn grant_admin(&self, account: Account) -> Result<()> {
        let binding_id: RoleBindingId = self.context.id();
        self.change(account, "admin_grant_admin", move |tx, user, now| {
            let roles: Vec<Role> = resource::find_by(tx, "name", BuiltInRole::Admin.name().into_value())?;
            let binding = administrator_binding(&roles, binding_id, user.id, user.id, now);
            let principal = PrincipalRef { kind: RoleHolder::User, id: user.id.uuid() };
            let held = holders_of(tx, principal)?;
            let has = held.iter().any(|one| one.role_id == binding.role_id && one.environment_id.is_none());
            if !has {
                resource::insert(tx, &binding)?;
                access::raise(tx, Concerned::Principal(principal.id), now)?;
            }
            Ok(json!({ "role": binding.role }))
        })
        .await
    }

    async fn change(
        &self,
        account: Account,
        action: &'static str,
        change: impl Fn(&mut Tx<'_>, &mut User, Timestamp) -> Result<Value> + Send + 'static,
    ) -> Result<()> {
        let (now, audit_id) = (self.context.now(), self.context.id::<AuditEventId>());
        self.store
            .write(SCOPE, action, move |tx| {
                credential::forget_attempts(tx, &account_subject(&account.tenant, &account.user))?;
                let tenant = tenant_by_name(tx, &account.tenant)?.ok_or_else(|| no_tenant(&account.tenant))?;
                tx.within(tenant.id, |tx| {
                    tx.lock(&Lock::Tenant(tenant.id))?;
                    let before = person(tx, &account)?;
                    let mut after = User { updated_at: now, ..before.clone() };
                    let said = change(tx, &mut after, now)?;
                    resource::update(tx, &mut after)?;
                    record(tx, &tenant, action, audit_id, (&before, &after), said, now)
                })
            })
            .await
    }
}

fn person(tx: &mut Tx<'_>, account: &Account) -> Result<User> {
    let found = credential::user_by_name(tx, &account.user)?.map(|(user, _)| user);
    found.filter(|user| user.service_of.is_none()).ok_or_else(|| {
        Error::new(
            ErrorCode::NotFound,
            format!("tenant {} has no user {}; the first one is called admin", account.tenant, account.user),
        )
    })
}

fn record(
    tx: &mut Tx<'_>,
    tenant: &Tenant,
    action: &'static str,
    id: AuditEventId,
    (before, after): (&User, &User),
    said: Value,
    at: Timestamp,
) -> Result<()> {
    let mut change = merge_patch(&resource::as_json(before)?, &resource::as_json(after)?);
    if let (Value::Object(change), Value::Object(said)) = (&mut change, said) {
        change.extend(said);
    }
    let entry = AuditEntry {
        id,
        at,
        action,
        resource_type: "user",
        resource_id: Some(after.id.to_string()),
        outcome: AuditOutcome::Succeeded,
        error_code: None,
        change: Some(change),
    };
    let principal = Principal { name: "plimsoll admin".to_owned(), ..server_principal(tenant.id) };
    audit::append(tx, &principal, &Origin::default(), entry)
}

fn no_tenant(name: &str) -> Error {
    Error::new(ErrorCode::NotFound, format!("there is no tenant {name}; the first one is called default"))
}
