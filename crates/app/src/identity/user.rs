//! Users.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    id::{TypedId, UserId},
    identity::{Client, PrincipalRef, User, may_act_as},
    in_use::{Reference, in_use},
};
use plimsoll_protocol::identity::{CreateUser, CreatedUser, UpdateUser};
use plimsoll_store::{
    IntoValue, Lock, Tx,
    identity::{
        access::{self, Concerned},
        administrators, browser, credential, holders_of,
        revocation::{self, Revoked},
        session,
    },
    resource::{self, ListQuery, Listing},
};
use serde_json::json;

use super::{password::NewPassword, registration_token::revoke_waiting, renewal::outlives_tokens};
use crate::{App, Caller, Change, Reply, replace::Replace};

/// Read-only fields that change by mere use: one that is sent back stale is no mistake.
const CHANGES_BY_USE: &str = "lastSignInAt";

impl App {
    /// Makes a user. The password that is made when none is given is shown once.
    pub async fn user_create(&self, caller: &Caller, body: CreateUser) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let password = self.new_password("password", body.password.as_ref(), &body.name).await?;
        let id = self.context.id::<UserId>();
        self.mutate_secret(caller, move |tx, notes| {
            let user = fresh(id, &body, password.made.is_some(), notes.now());
            resource::insert(tx, &user)?;
            credential::set_password_hash(tx, id, &password.hash)?;
            let patch = resource::as_json(&user)?;
            notes.event("user", id, None, "user.created", patch.clone());
            let created = CreatedUser { user, initial_password: password.made.clone() };
            Ok(Change::created("users", "user", id, created)?.with_patch(Some(patch)))
        })
        .await
    }

    /// A page of users.
    pub async fn user_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<User>> {
        self.store.list(caller.scope(), "user_list", query).await
    }

    /// One user.
    pub async fn user_get(&self, caller: &Caller, id: UserId) -> Result<User> {
        self.store.read(caller.scope(), "user_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces a user's writable fields. A new password ends the user's sessions; somebody else's is
    /// good for one sign-in, in which it must be changed.
    pub async fn user_update(&self, caller: &Caller, id: UserId, replace: Replace<UpdateUser>) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let replace = replace.without(&[CHANGES_BY_USE]);
        let password = match &replace.body.password {
            Some(given) => Some(self.new_password("password", Some(given), &replace.body.name).await?),
            None => None,
        };
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: User = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            refuse_service_user(&current)?;
            let mut next = changed(&current, &replace.body, notes.now());
            if let Some(password) = &password {
                set_password(tx, &owned, &mut next, password, notes.now())?;
            }
            set_active(tx, &owned, &current, &next, notes.now())?;
            resource::update(tx, &mut next)?;
            notes.event("user", id, None, "user.updated", resource::as_json(&next)?);
            let patch = patch_of(&current, &next, password.is_some())?;
            Ok(Change::done("user", id, &resource::as_json(&current)?, next)?.with_patch(Some(patch)))
        })
        .await
    }

    /// Removes a user who answers for no client, with all roles and sessions.
    pub async fn user_delete(&self, caller: &Caller, id: UserId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: User = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            refuse_service_user(&current)?;
            refuse_oneself_and_last(tx, &owned, &current, "remove")?;
            let clients: Vec<Client> = resource::find_by(tx, "owner_id", id.into_value())?;
            if !clients.is_empty() {
                let references: Vec<Reference> =
                    clients.iter().map(|client| Reference::new("client", client.id, client.name.as_str())).collect();
                return Err(in_use("user", &references));
            }
            take_roles(tx, PrincipalRef::from(id), notes.now())?;
            end_access(tx, id, notes.now())?;
            resource::soft_delete(tx, &current, notes.now())?;
            notes.event("user", id, None, "user.deleted", json!({}));
            Ok(Change::gone("user", id))
        })
        .await
    }
}

/// A new user.
pub(super) fn fresh(id: UserId, body: &CreateUser, one_time: bool, now: Timestamp) -> User {
    let body = body.clone();
    User {
        id,
        name: body.name,
        display_name: body.display_name,
        email: body.email,
        active: body.active,
        service_of: None,
        must_change_password: one_time,
        last_sign_in_at: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

fn changed(current: &User, body: &UpdateUser, now: Timestamp) -> User {
    let body = body.clone();
    User {
        name: body.name,
        display_name: body.display_name,
        email: body.email,
        active: body.active,
        updated_at: now,
        ..current.clone()
    }
}

/// That a password was set is in the trail; the password is not.
fn patch_of(before: &User, after: &User, password: bool) -> Result<serde_json::Value> {
    let mut patch = plimsoll_core::audit::merge_patch(&resource::as_json(before)?, &resource::as_json(after)?);
    if password {
        patch["password"] = "[changed]".into();
    }
    Ok(patch)
}

fn set_password(
    tx: &mut Tx<'_>,
    caller: &Caller,
    user: &mut User,
    password: &NewPassword,
    now: Timestamp,
) -> Result<()> {
    let oneself = caller.principal.id == user.id.uuid();
    if !oneself {
        let theirs = access::load(tx, PrincipalRef::from(user.id))?.grants;
        may_act_as(&caller.principal.grants, &theirs)?;
    }
    user.must_change_password = !oneself;
    credential::set_password_hash(tx, user.id, &password.hash)?;
    end_sessions(tx, user.id, now)
}

fn set_active(tx: &mut Tx<'_>, caller: &Caller, current: &User, next: &User, now: Timestamp) -> Result<()> {
    match (current.active, next.active) {
        (true, false) => {
            refuse_oneself_and_last(tx, caller, current, "deactivate")?;
            end_access(tx, current.id, now)
        }
        (false, true) => revocation::restore(tx, current.id.uuid()),
        (true, true) | (false, false) => Ok(()),
    }
}

/// Tokens issued before are stale, and no session gives new ones.
pub(crate) fn end_sessions(tx: &mut Tx<'_>, id: UserId, now: Timestamp) -> Result<()> {
    session::end_all(tx, id)?;
    browser::remove_all(tx, id)?;
    access::raise(tx, Concerned::Principal(id.uuid()), now)
}

/// Nothing that speaks for the user is accepted any more, nor what they made for agents that have not come.
fn end_access(tx: &mut Tx<'_>, id: UserId, now: Timestamp) -> Result<()> {
    end_sessions(tx, id, now)?;
    revoke_waiting(tx, id, now)?;
    revocation::revoke(tx, &Revoked::Principal(id.uuid()), outlives_tokens(now))
}

/// Takes all roles back from somebody who is removed.
pub(super) fn take_roles(tx: &mut Tx<'_>, principal: PrincipalRef, now: Timestamp) -> Result<()> {
    for binding in holders_of(tx, principal)? {
        resource::soft_delete(tx, &binding, now)?;
    }
    Ok(())
}

fn refuse_service_user(user: &User) -> Result<()> {
    match user.service_of {
        None => Ok(()),
        Some(client) => Err(Error::new(
            ErrorCode::RuleViolated,
            format!("{} is the service user of client {client}; change the client instead", user.name),
        )),
    }
}

fn refuse_oneself_and_last(tx: &mut Tx<'_>, caller: &Caller, user: &User, verb: &str) -> Result<()> {
    if caller.principal.id == user.id.uuid() {
        let message = format!("nobody can {verb} themselves; ask another administrator");
        return Err(Error::new(ErrorCode::RuleViolated, message));
    }
    refuse_last_administrator(tx, user.id)
}

/// A tenant without an administrator could be repaired on the server's host alone.
pub(super) fn refuse_last_administrator(tx: &mut Tx<'_>, user: UserId) -> Result<()> {
    if administrators(tx)? == [user] {
        let message = "this is the tenant's last administrator; give the role admin to somebody else first";
        return Err(Error::new(ErrorCode::RuleViolated, message));
    }
    Ok(())
}

/// The living, active person with this id; `field` names it in the error.
pub(super) fn active_person(tx: &mut Tx<'_>, field: &str, id: UserId) -> Result<User> {
    let user: Option<User> = resource::find(tx, id)?;
    user.filter(|user| user.active && user.service_of.is_none())
        .ok_or_else(|| Error::field(field, "unknown_reference", format!("there is no active person with id {id}")))
}
