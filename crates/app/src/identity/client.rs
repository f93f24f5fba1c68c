//! Clients of machines, each with an owner and a service user.

use plimsoll_authority::{
    keys::{Jwk, PublicKey},
    secret::{self, ExposeSecret as _},
};
use plimsoll_core::{
    Error, Result, Timestamp,
    audit::{PrincipalType, merge_patch},
    id::{ClientId, TypedId, UserId},
    identity::{Client, ClientAuthentication, PrincipalRef, User, may_act_as, names},
};
use plimsoll_protocol::{
    identity::{CreateClient, CreatedClient, UpdateClient},
    secret::SecretText,
};
use plimsoll_store::{
    Lock, Tx,
    identity::{
        access::{self, Concerned},
        client_hand::{self, ClientHand},
        credential::{self, ClientProof},
        revocation::{self, Revoked},
    },
    resource::{self, ListQuery, Listing},
};
use serde_json::json;

use super::{
    registration_token::revoke_waiting,
    renewal::outlives_tokens,
    user::{active_person, take_roles},
};
use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

/// What clients' secrets begin with.
const SECRET_PREFIX: &str = "plc";
/// Read-only fields that change by mere use: one that is sent back stale is no mistake.
const CHANGES_BY_USE: &str = "lastUsedAt";

impl App {
    /// Makes a client and its service user. Its secret is shown once.
    pub async fn client_create(&self, caller: &Caller, body: CreateClient) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let (proof, shown) = self.first_proof(&body)?;
        let (id, service_user) = (self.context.id::<ClientId>(), self.context.id::<UserId>());
        let owned = caller.clone();
        self.mutate_secret(caller, move |tx, notes| {
            let owner = match body.owner_id {
                Some(owner) => owner,
                None => owner_by_default(tx, &owned)?,
            };
            active_person(tx, "ownerId", owner)?;
            let client = fresh(id, service_user, owner, &body, notes);
            resource::insert(tx, &client)?;
            credential::set_client_proof(tx, id, &proof)?;
            client_hand::take(tx, &client, ClientHand::Owner, owner, notes.now())?;
            client_hand::take(tx, &client, ClientHand::Secret, owned.principal.user, notes.now())?;
            resource::insert(tx, &service_user_of(&client, notes.now()))?;
            let patch = resource::as_json(&client)?;
            notes.event("client", id, None, "client.created", patch.clone());
            let created = CreatedClient { client, client_secret: shown.clone() };
            Ok(Change::created("clients", "client", id, created)?.with_patch(Some(patch)))
        })
        .await
    }

    /// A page of clients.
    pub async fn client_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Client>> {
        self.store.list(caller.scope(), "client_list", query).await
    }

    /// One client.
    pub async fn client_get(&self, caller: &Caller, id: ClientId) -> Result<Client> {
        self.store.read(caller.scope(), "client_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces a client's writable fields; on request it gets a new secret, shown once.
    pub async fn client_update(&self, caller: &Caller, id: ClientId, replace: Replace<UpdateClient>) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let replace = replace.without(&[CHANGES_BY_USE]);
        let fresh_secret = secret::generate(SECRET_PREFIX, &self.context);
        let owned = caller.clone();
        self.mutate_secret(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: Client = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let body = &replace.body;
            let mut next = changed(&current, body, notes.now());
            if next.owner_id != current.owner_id {
                active_person(tx, "ownerId", next.owner_id)?;
            }
            if body.rotate_secret || next.owner_id != current.owner_id {
                may_act_as(&owned.principal.grants, &access::load(tx, PrincipalRef::from(id))?.grants)?;
            }
            let shown = if body.rotate_secret { Some(rotate(tx, &current, &fresh_secret)?) } else { None };
            if shown.is_some() {
                client_hand::take(tx, &current, ClientHand::Secret, owned.principal.user, notes.now())?;
            }
            if next.owner_id != current.owner_id {
                client_hand::take(tx, &current, ClientHand::Owner, next.owner_id, notes.now())?;
            }
            set_active(tx, &current, &next, notes.now())?;
            resource::update(tx, &mut next)?;
            follow(tx, &next, notes.now())?;
            notes.event("client", id, None, "client.updated", resource::as_json(&next)?);
            let before = resource::as_json(&current)?;
            let mut patch = merge_patch(&before, &resource::as_json(&next)?);
            if shown.is_some() {
                patch["clientSecret"] = "[changed]".into();
            }
            let answer = CreatedClient { client: next, client_secret: shown };
            Ok(Change::done("client", id, &before, answer)?.with_patch(Some(patch)))
        })
        .await
    }

    /// Removes a client with its service user and all its roles.
    pub async fn client_delete(&self, caller: &Caller, id: ClientId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: Client = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            take_roles(tx, PrincipalRef::from(id), notes.now())?;
            end_access(tx, &current, notes.now())?;
            if let Some(user) = resource::find::<User>(tx, current.service_user_id)? {
                resource::soft_delete(tx, &user, notes.now())?;
            }
            resource::soft_delete(tx, &current, notes.now())?;
            notes.event("client", id, None, "client.deleted", json!({}));
            Ok(Change::gone("client", id))
        })
        .await
    }

    /// What a new client proves itself with, and what is shown of it once.
    fn first_proof(&self, body: &CreateClient) -> Result<(ClientProof, Option<SecretText>)> {
        match body.authentication {
            ClientAuthentication::ClientSecret => {
                let made = secret::generate(SECRET_PREFIX, &self.context);
                let proof = ClientProof { secret: Some(secret::fingerprint(&made)), public_key: None };
                Ok((proof, Some(SecretText::new(made.expose_secret()))))
            }
            ClientAuthentication::PrivateKeyJwt => {
                let public_key = Some(checked_key(body.public_key.as_ref())?);
                Ok((ClientProof { secret: None, public_key }, None))
            }
            ClientAuthentication::None => Ok((ClientProof::default(), None)),
        }
    }
}

/// The key as it is stored, if it is one that we can check signatures with.
fn checked_key(given: Option<&serde_json::Value>) -> Result<String> {
    let refuse = |cause: &dyn std::fmt::Display| {
        Error::field("publicKey", "invalid", format!("must be the JWK of a P-256 public key: {cause}"))
    };
    let given = given.cloned().unwrap_or_default();
    if given.get("d").is_some() {
        return Err(refuse(&"it holds the private key; that one stays with the client"));
    }
    let jwk: Jwk = serde_json::from_value(given).map_err(|cause| refuse(&cause))?;
    let key = PublicKey::from_jwk(&jwk).map_err(|cause| refuse(&cause.message()))?;
    serde_json::to_string(&key.to_jwk()).map_err(|cause| refuse(&cause))
}

/// Whoever makes a client answers for it; for what a client makes, its own owner does.
fn owner_by_default(tx: &mut Tx<'_>, caller: &Caller) -> Result<UserId> {
    match caller.principal.kind {
        PrincipalType::Client => Ok(resource::get::<Client>(tx, ClientId::from_uuid(caller.principal.id))?.owner_id),
        PrincipalType::User | PrincipalType::Agent | PrincipalType::System => Ok(caller.principal.user),
    }
}

fn fresh(id: ClientId, service_user: UserId, owner: UserId, body: &CreateClient, notes: &Notes) -> Client {
    Client {
        id,
        name: body.name.clone(),
        description: body.description.clone(),
        owner_id: owner,
        service_user_id: service_user,
        authentication: body.authentication,
        active: body.active,
        last_used_at: None,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}

/// The user that a client's tokens speak for.
fn service_user_of(client: &Client, now: Timestamp) -> User {
    User {
        id: client.service_user_id,
        name: names::service_user(&client.name),
        display_name: None,
        email: None,
        active: client.active,
        service_of: Some(client.id),
        must_change_password: false,
        last_sign_in_at: None,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

fn changed(current: &Client, body: &UpdateClient, now: Timestamp) -> Client {
    Client {
        name: body.name.clone(),
        description: body.description.clone(),
        owner_id: body.owner_id,
        active: body.active,
        updated_at: now,
        ..current.clone()
    }
}

/// Gives a client another secret; the old one ends at once.
fn rotate(tx: &mut Tx<'_>, client: &Client, made: &secret::SecretString) -> Result<SecretText> {
    match client.authentication {
        ClientAuthentication::ClientSecret => {}
        ClientAuthentication::PrivateKeyJwt | ClientAuthentication::None => {
            return Err(Error::field(
                "rotateSecret",
                "invalid",
                format!("the client proves itself with {}, not with a secret", client.authentication),
            ));
        }
    }
    let proof = ClientProof { secret: Some(secret::fingerprint(made)), public_key: None };
    credential::set_client_proof(tx, client.id, &proof)?;
    Ok(SecretText::new(made.expose_secret()))
}

fn set_active(tx: &mut Tx<'_>, current: &Client, next: &Client, now: Timestamp) -> Result<()> {
    match (current.active, next.active) {
        (true, false) => end_access(tx, current, now),
        (false, true) => revocation::restore(tx, current.id.uuid()),
        (true, true) | (false, false) => Ok(()),
    }
}

/// Nothing that speaks for the client is accepted any more, nor what it made for agents that have not come.
fn end_access(tx: &mut Tx<'_>, client: &Client, now: Timestamp) -> Result<()> {
    let id = client.id.uuid();
    access::raise(tx, Concerned::Principal(id), now)?;
    revoke_waiting(tx, client.service_user_id, now)?;
    revocation::revoke(tx, &Revoked::Principal(id), outlives_tokens(now))
}

/// The service user follows its client's name and activity.
fn follow(tx: &mut Tx<'_>, client: &Client, now: Timestamp) -> Result<()> {
    let user: User = resource::get(tx, client.service_user_id)?;
    let wanted = service_user_of(client, now);
    if user.name == wanted.name && user.active == wanted.active {
        return Ok(());
    }
    let mut next = User { name: wanted.name, active: wanted.active, updated_at: now, ..user };
    resource::update(tx, &mut next)
}
