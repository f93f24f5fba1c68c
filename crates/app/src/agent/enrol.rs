//! How an agent enrols: with a registration token that is used up once, and a key of its own.

use plimsoll_authority::{
    keys::PublicKey,
    oauth::{join::JoinState, metadata::path},
};
use plimsoll_core::{
    Error, ErrorCode, Result,
    id::{AgentId, RegistrationTokenId, TypedId},
    identity::RegistrationToken,
    inventory::{Agent, AgentStatus},
    rules,
};
use plimsoll_protocol::agent::{
    enrol::{RegisterRequest, Registered},
    order::ServerKey,
};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx, agent as rows,
    identity::{
        agent::{self as identities, AgentIdentity},
        installation, use_registration_token,
    },
    resource,
};

use crate::{App, Caller, Change, Notes, Reply, identity::registration_token::maker_may_enrol, mutation::Outcome};

/// The longest name, in characters.
const NAME: usize = 63;
/// Bytes of an uncompressed P-256 point, the end of its SubjectPublicKeyInfo.
const POINT: usize = 65;

impl App {
    /// Enrols an agent. The same token and key again are the same agent; another key is refused.
    pub async fn agent_register(&self, caller: &Caller, body: RegisterRequest) -> Result<Reply> {
        let key = AgentKey::read(&body.public_key_pem)?;
        let welcome = self.welcome(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            let token_id = RegistrationTokenId::from_uuid(owned.principal.id);
            tx.lock(&Lock::Named("registration_token", &token_id.to_string()))?;
            if let Some(identity) = identities::find_by_token(tx, token_id)? {
                return again(tx, &identity, &key, &welcome);
            }
            let mut token = resource::find::<RegistrationToken>(tx, token_id)?.ok_or_else(no_token)?;
            if !maker_may_enrol(tx, &token)? {
                return Err(maker_gone());
            }
            let agent = fresh(tx, &body, &key, &token, notes)?;
            (token.used_at, token.agent_id) = (Some(notes.now()), Some(agent.id));
            if !use_registration_token(tx, &token)? {
                return Err(used());
            }
            resource::insert(tx, &agent)?;
            let identity = AgentIdentity {
                tenant: owned.tenant(),
                agent: agent.id,
                name: agent.name.clone(),
                public_key: key.jwk.clone(),
                registration_token: token_id,
                revoked_at: None,
                join_state: as_text(&JoinState::Enrolled)?,
            };
            identities::insert(tx, &identity, notes.now())?;
            let seen = resource::as_json(&agent)?;
            notes.event("agent", agent.id, None, "agent.registered", seen.clone());
            let answer = Registered { agent_id: agent.id, name: agent.name, ..welcome.clone() };
            Ok(Change::created("agents", "agent", answer.agent_id, answer)?.with_patch(Some(seen)))
        })
        .await
    }

    /// What every agent is told; name and id are filled in later.
    async fn welcome(&self, caller: &Caller) -> Result<Registered> {
        let signer = self.signer(caller.tenant()).await?;
        let scope = Scope::System(SystemReason::SignIn);
        let installation = self.store.read(scope, "installation", installation::find).await?;
        let issuer = installation
            .ok_or_else(|| Error::internal_defect("an agent enrols before the installation was started"))?
            .issuer;
        Ok(Registered {
            agent_id: AgentId::from_uuid(uuid::Uuid::nil()),
            name: String::new(),
            token_endpoint: path::TOKEN.to_owned(),
            assertion_audience: issuer,
            heartbeat_seconds: self.settings.heartbeat_seconds,
            server_keys: vec![ServerKey {
                key_id: signer.key_id().to_owned(),
                public_key_pem: signer.public_key().to_pem(),
            }],
            ca_pem: Vec::new(),
        })
    }
}

/// An agent's public key in the forms in which it is kept.
#[derive(Clone, Debug)]
struct AgentKey {
    /// For checking assertions.
    jwk: String,
    /// For people.
    fingerprint: String,
}

impl AgentKey {
    fn read(pem: &str) -> Result<Self> {
        let wrong = |cause: &Error| Error::field("publicKeyPem", "key", cause.message());
        let key = plimsoll_evidence::PublicKey::from_pem(pem).map_err(|cause| wrong(&cause))?;
        let spki = key.to_spki_der();
        let point = &spki[spki.len().saturating_sub(POINT)..];
        let checked = PublicKey::from_point(point).map_err(|cause| wrong(&cause))?;
        Ok(Self { jwk: as_text(&checked.to_jwk())?, fingerprint: key.key_id().to_owned() })
    }
}

fn as_text<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value)
        .map_err(|cause| Error::internal_defect(format!("an agent's identity is not JSON: {cause}")))
}

/// The token was used before: by the same key it is an answer that got lost.
fn again(
    tx: &mut Tx<'_>,
    identity: &AgentIdentity,
    key: &AgentKey,
    welcome: &Registered,
) -> Result<Change<Registered>> {
    if identity.public_key != key.jwk || identity.revoked_at.is_some() {
        return Err(used());
    }
    let agent: Agent = resource::find(tx, identity.agent)?.ok_or_else(used)?;
    let value = Registered { agent_id: agent.id, name: agent.name, ..welcome.clone() };
    Ok(Change {
        value,
        outcome: Outcome::Done,
        resource_type: "agent",
        resource_id: agent.id.uuid().to_string(),
        patch: None,
        revision: None,
        refusal: None,
    })
}

fn fresh(
    tx: &mut Tx<'_>,
    body: &RegisterRequest,
    key: &AgentKey,
    token: &RegistrationToken,
    notes: &Notes,
) -> Result<Agent> {
    let body = body.clone();
    // A name that somebody chose is theirs or refused; one made of the host's name gets a number.
    let name = match body.name {
        Some(name) => name,
        None => rows::free_name(tx, &body.hostname.chars().take(NAME - 6).collect::<String>())?,
    };
    if rules::plain(&name, &()).is_err() {
        return Err(Error::field("name", "plain", "must be one line of text without control characters"));
    }
    Ok(Agent {
        id: notes.id(),
        name,
        hostname: body.hostname,
        version: body.version,
        protocol_version: body.protocol_version,
        os: body.os,
        arch: body.arch,
        capabilities: body.capabilities,
        labels: token.labels.clone(),
        status: AgentStatus::Offline,
        enabled: true,
        last_heartbeat_at: None,
        resources: None,
        public_key_fingerprint: key.fingerprint.clone(),
        running_tasks: Vec::new(),
        locked_reason: None,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    })
}

fn used() -> Error {
    Error::new(
        ErrorCode::TokenAlreadyUsed,
        "this registration token was used by another key, or its agent was removed; make a new token and enrol with it",
    )
}

fn no_token() -> Error {
    Error::new(ErrorCode::Unauthenticated, "this is no registration token, or it was revoked; make a new one")
}

fn maker_gone() -> Error {
    Error::new(
        ErrorCode::PermissionDenied,
        "whoever made this registration token may not enrol agents any more; ask an administrator for a new token",
    )
}
