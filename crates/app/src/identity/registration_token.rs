//! Registration tokens, with which agents enrol.

use plimsoll_authority::{secret::ExposeSecret as _, token::Subject};
use plimsoll_core::{
    Error, Result, Timestamp,
    id::{RegistrationTokenId, TypedId, UserId},
    identity::{PrincipalRef, RegistrationToken, User},
    permission::Permission,
};
use plimsoll_protocol::{
    identity::{CreateRegistrationToken, CreatedRegistrationToken},
    secret::SecretText,
};
use plimsoll_store::{
    Lock, Tx,
    identity::{
        access,
        revocation::{self, Revoked},
        revoke_registration_token, waiting_registration_tokens,
    },
    resource::{self, ListQuery, Listing, Resource},
};
use serde_json::json;

use super::subject::NEVER_STALE;
use crate::{App, Caller, Change, Reply};

impl App {
    /// Makes a token that one agent can enrol with. The token is shown once.
    pub async fn registration_token_create(&self, caller: &Caller, body: CreateRegistrationToken) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let id: RegistrationTokenId = self.context.id();
        let subject = Subject::registration(caller.tenant(), id, caller.principal.user, NEVER_STALE);
        let lifetime = i64::from(body.expires_in_seconds);
        let issued = self.authority()?.issuer().issue(&subject, lifetime, &self.context)?;
        let (token, created_by) = (SecretText::new(issued.token.expose_secret()), caller.principal.user);
        self.mutate_secret(caller, move |tx, notes| {
            let registration_token = RegistrationToken {
                id,
                description: body.description.clone(),
                labels: body.labels.clone(),
                expires_at: issued.expires_at,
                used_at: None,
                agent_id: None,
                revoked_at: None,
                created_by,
                created_at: notes.now(),
            };
            resource::insert(tx, &registration_token)?;
            let patch = resource::as_json(&registration_token)?;
            notes.event("registration_token", id, None, "registration_token.created", patch.clone());
            let created = CreatedRegistrationToken { registration_token, token: token.clone() };
            let change = Change::created("registration-tokens", "registration_token", id, created)?;
            Ok(change.with_patch(Some(patch)))
        })
        .await
    }

    /// A page of registration tokens.
    pub async fn registration_token_list(
        &self,
        caller: &Caller,
        query: ListQuery,
    ) -> Result<Listing<RegistrationToken>> {
        self.store.list(caller.scope(), "registration_token_list", query).await
    }

    /// One registration token.
    pub async fn registration_token_get(&self, caller: &Caller, id: RegistrationTokenId) -> Result<RegistrationToken> {
        self.store.read(caller.scope(), "registration_token_get", move |tx| resource::get(tx, id)).await
    }

    /// Revokes a token that was not used.
    pub async fn registration_token_delete(&self, caller: &Caller, id: RegistrationTokenId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Named("registration_token", &id.to_string()))?;
            let mut token: RegistrationToken = resource::get(tx, id)?;
            owned.check_revision(Resource::revision(&token))?;
            let used = || Error::state_conflict("registration token", "used", "revoke", &[]);
            if token.used_at.is_some() {
                return Err(used());
            }
            if !revoke(tx, &mut token, notes.now())? {
                return Err(used());
            }
            notes.event("registration_token", id, None, "registration_token.deleted", json!({}));
            Ok(Change::gone("registration_token", id))
        })
        .await
    }
}

/// Voids a token that was not used; `false` when it was used or revoked meanwhile.
fn revoke(tx: &mut Tx<'_>, token: &mut RegistrationToken, now: Timestamp) -> Result<bool> {
    token.revoked_at = Some(now);
    let revoked = revoke_registration_token(tx, token)?;
    if revoked {
        revocation::revoke(tx, &Revoked::Principal(token.id.uuid()), token.expires_at)?;
    }
    Ok(revoked)
}

/// Voids all that a user or a client's service user made and nobody has used: who has no access any more lets no
/// agent in either.
pub(super) fn revoke_waiting(tx: &mut Tx<'_>, maker: UserId, now: Timestamp) -> Result<()> {
    for mut token in waiting_registration_tokens(tx, maker, now)? {
        revoke(tx, &mut token, now)?;
    }
    Ok(())
}

/// Whether whoever made the token may still let agents in: a role can be taken away after it was made.
pub(crate) fn maker_may_enrol(tx: &mut Tx<'_>, token: &RegistrationToken) -> Result<bool> {
    let maker: Option<User> = resource::find(tx, token.created_by)?;
    let Some(maker) = maker.filter(|maker| maker.active) else { return Ok(false) };
    let holder = maker.service_of.map_or_else(|| PrincipalRef::from(maker.id), PrincipalRef::from);
    Ok(access::load(tx, holder)?.grants.everywhere(Permission::AgentWrite))
}
