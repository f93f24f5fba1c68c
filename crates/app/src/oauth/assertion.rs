//! Clients and agents that sign who they are (`private_key_jwt`, RFC 7523).

use plimsoll_authority::{
    keys::{Jwk, PublicKey},
    oauth::{
        AssertionRules, ClientAssertion, OAuthError, OAuthErrorCode, VerifiedAssertion,
        join::{self, Join, JoinState, JoinVerdict},
        metadata::path,
    },
    secret::{ExposeSecret as _, SecretString},
};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::{AuditOutcome, Origin},
    id::{AgentId, AuditEventId, ClientId, EventId, TenantId, TypedId},
    identity::{Client, ClientAuthentication},
    inventory::Agent,
};
use plimsoll_store::{
    Lock, Scope, Tx,
    audit::{self, AuditEntry},
    event::{self, NewEvent},
    identity::{
        agent::{self as identities, AgentIdentity},
        credential,
        nonce::{self, NonceKind},
        revocation::{self, Revoked},
    },
    resource,
};
use serde_json::json;

use super::{
    client::{Party, SCOPE, nobody},
    refused::Account,
};
use crate::{
    App,
    identity::{first_start::server_principal, renewal::outlives_tokens},
};

/// Whose key an assertion claims to be signed with.
enum Signer {
    Agent(AgentIdentity),
    Client(TenantId, Client, String),
}

impl Signer {
    /// Whose trail a failure belongs to.
    fn account(&self) -> Account {
        match self {
            Self::Agent(identity) => Account::agent(identity),
            Self::Client(tenant, client, _) => Account::client(*tenant, client.id),
        }
    }
}

impl App {
    /// Who signed `assertion`. An agent's join is counted; a client's assertion is used up.
    pub(super) async fn prove_by_assertion(
        &self,
        client_id: Option<&str>,
        assertion: &SecretString,
        origin: &Origin,
    ) -> Result<Party, OAuthError> {
        let refused = |refusal| OAuthError::refused(OAuthErrorCode::InvalidClient, refusal);
        let parsed = ClientAssertion::parse(assertion.expose_secret()).map_err(refused)?;
        let subject = parsed.claimed_subject().ok_or_else(nobody)?.to_owned();
        if client_id.is_some_and(|client_id| client_id != subject) {
            return Err(nobody());
        }
        let signer = self.signer_of(&subject).await?.ok_or_else(nobody)?;
        let key = match &signer {
            Signer::Agent(identity) => public_key(&identity.public_key)?,
            Signer::Client(_, _, key) => public_key(key)?,
        };
        let verified = match parsed.verify(&key, &self.assertion_rules()?, self.context.now()) {
            Ok(verified) => verified,
            Err(refusal) => {
                self.note_refused_sign_in(signer.account(), origin).await?;
                return Err(refused(refusal));
            }
        };
        match signer {
            Signer::Agent(identity) => {
                let join = verified.join().map_err(refused)?;
                self.join(identity, join, origin).await
            }
            Signer::Client(tenant, client, _) => self.use_up(tenant, client, verified, origin).await,
        }
    }

    fn assertion_rules(&self) -> Result<AssertionRules> {
        let issuer = self.authority()?.issuer().iss().to_owned();
        let token = format!("{issuer}{}", path::TOKEN);
        Ok(AssertionRules { audiences: vec![issuer, token] })
    }

    async fn signer_of(&self, subject: &str) -> Result<Option<Signer>> {
        let (Ok(agent), Ok(client)) = (subject.parse::<AgentId>(), subject.parse::<ClientId>()) else {
            return Ok(None);
        };
        self.store
            .read(SCOPE, "assertion_signer", move |tx| {
                if let Some(identity) = identities::find_anywhere(tx, agent)? {
                    return Ok(Some(Signer::Agent(identity)));
                }
                let Some((tenant, client, proof)) = credential::client_anywhere(tx, client)? else { return Ok(None) };
                let signs = client.active && client.authentication == ClientAuthentication::PrivateKeyJwt;
                Ok(proof.public_key.filter(|_| signs).map(|key| Signer::Client(tenant, client, key)))
            })
            .await
    }

    async fn use_up(
        &self,
        tenant: TenantId,
        client: Client,
        verified: VerifiedAssertion,
        origin: &Origin,
    ) -> Result<Party, OAuthError> {
        let nonce = format!("{}:{}", client.id, verified.jti);
        let spent = self
            .store
            .write(Scope::Tenant(tenant), "assertion_spend", move |tx| {
                nonce::spend(tx, NonceKind::Assertion, &nonce, verified.expires_at)
            })
            .await?;
        if spent {
            return Ok(Party::Client(tenant, Box::new(client)));
        }
        self.note_refused_sign_in(Account::client(tenant, client.id), origin).await?;
        Err(OAuthError::new(OAuthErrorCode::InvalidClient, "the assertion was used before; sign a new one"))
    }

    /// Counts the agent's request. A copied identity is locked here, and its tokens end.
    async fn join(&self, read: AgentIdentity, join: Join, origin: &Origin) -> Result<Party, OAuthError> {
        let (now, agent) = (self.context.now(), read.agent);
        let ids = (self.context.id::<AuditEventId>(), self.context.id::<EventId>());
        let origin = origin.clone();
        let outcome = self
            .store
            .write(Scope::Tenant(read.tenant), "agent_join", move |tx| {
                tx.lock(&Lock::Agent(agent))?;
                let Some(identity) = identities::find(tx, agent)? else { return Ok(None) };
                if identity.revoked_at.is_some() {
                    return Ok(None);
                }
                // What is switched off is not counted: the agent asks the same again when it is switched on.
                if resource::find::<Agent>(tx, agent)?.is_some_and(|agent| !agent.enabled) {
                    return Ok(Some((Some(disabled().into()), identity)));
                }
                let verdict = join::judge(&state_of(&identity)?, join.clone(), origin.address.as_deref(), now);
                let identity = settle(tx, identity, &verdict, ids, &origin, now)?;
                Ok(Some((verdict.refusal(), identity)))
            })
            .await?;
        // An agent repeats these by itself, for as long as its host runs: the trail has their one cause.
        let (refusal, identity) = outcome.ok_or_else(nobody)?;
        refusal.map_or_else(|| Ok(Party::Agent(Box::new(identity))), Err)
    }
}

/// Stores what was decided about a join.
fn settle(
    tx: &mut Tx<'_>,
    mut identity: AgentIdentity,
    verdict: &JoinVerdict,
    ids: (AuditEventId, EventId),
    origin: &Origin,
    now: Timestamp,
) -> Result<AgentIdentity> {
    match verdict {
        JoinVerdict::Accepted(next) => {
            identity.join_state = as_text(next)?;
            identities::update(tx, &identity)?;
        }
        JoinVerdict::Cloned(next) => {
            identity.join_state = as_text(next)?;
            identities::update(tx, &identity)?;
            lock_out(tx, &identity, ids, origin, now)?;
        }
        JoinVerdict::Retry | JoinVerdict::Outdated | JoinVerdict::Ahead { .. } | JoinVerdict::Locked => {}
    }
    Ok(identity)
}

/// Ends the tokens of an agent whose identity was copied, and says so in the trail.
fn lock_out(
    tx: &mut Tx<'_>,
    identity: &AgentIdentity,
    (audit_id, event_id): (AuditEventId, EventId),
    origin: &Origin,
    now: Timestamp,
) -> Result<()> {
    tracing::warn!(agent = %identity.agent, name = identity.name, "two hosts use an agent's identity; it is locked");
    revocation::revoke(tx, &Revoked::Principal(identity.agent.uuid()), outlives_tokens(now))?;
    let resource_id = identity.agent.to_string();
    let entry = AuditEntry {
        id: audit_id,
        at: now,
        action: "agent_locked",
        resource_type: "agent",
        resource_id: Some(resource_id.clone()),
        outcome: AuditOutcome::Succeeded,
        error_code: None,
        change: Some(json!({ "reason": "two hosts use this agent's identity", "join": as_json(&identity.join_state) })),
    };
    audit::append(tx, &server_principal(identity.tenant), origin, entry)?;
    let event = NewEvent {
        id: event_id,
        at: now,
        topic: "agent",
        resource_id,
        parent_id: None,
        kind: "agent.locked",
        data: json!({ "agentId": identity.agent.uuid(), "name": identity.name }),
    };
    event::append(tx, &event)
}

fn disabled() -> Error {
    Error::new(
        ErrorCode::AgentDisabled,
        "this agent is switched off; switch it on with PUT /agents/{id} and enabled true",
    )
}

fn state_of(identity: &AgentIdentity) -> Result<JoinState> {
    serde_json::from_str(&identity.join_state)
        .map_err(|cause| Error::internal_defect(format!("a stored join state does not fit: {cause}")))
}

fn as_text(state: &JoinState) -> Result<String> {
    serde_json::to_string(state).map_err(|cause| Error::internal_defect(format!("a join state is not JSON: {cause}")))
}

fn as_json(join_state: &str) -> serde_json::Value {
    serde_json::from_str(join_state).unwrap_or_default()
}

fn public_key(jwk: &str) -> Result<PublicKey> {
    let jwk: Jwk = serde_json::from_str(jwk)
        .map_err(|cause| Error::internal_defect(format!("a stored public key is no JWK: {cause}")))?;
    PublicKey::from_jwk(&jwk)
}
