//! Who a request's client is.

use plimsoll_authority::{
    oauth::{OAuthError, OAuthErrorCode, PresentedClient},
    password::{Admission, Attempts, ThrottleRule},
    secret::{self, SecretString},
};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::Origin,
    id::{ClientId, TenantId},
    identity::{Client, ClientAuthentication},
};
use plimsoll_protocol::identity::CLI_CLIENT;
use plimsoll_store::{
    Scope, SystemReason, Tx,
    identity::{agent::AgentIdentity, credential, credential::ClientProof},
};

use super::refused::Account;
use crate::App;

pub(super) const SCOPE: Scope = Scope::System(SystemReason::SignIn);

/// Who asks, as far as it is proven.
#[derive(Clone, Debug)]
pub(super) enum Party {
    /// A client that proved who it is.
    Client(TenantId, Box<Client>),
    /// An agent that proved who it is, and may join.
    Agent(Box<AgentIdentity>),
    /// A client that cannot prove anything, and whose tokens speak for people alone.
    Public(PublicClient),
}

/// A public client.
#[derive(Clone, Debug)]
pub(super) enum PublicClient {
    /// The command line; the same for all tenants.
    CommandLine,
    /// One of a tenant.
    Of(Box<Client>),
}

impl Party {
    /// The OAuth `client_id`.
    pub(super) fn client_id(&self) -> String {
        match self {
            Self::Client(_, client) | Self::Public(PublicClient::Of(client)) => client.id.to_string(),
            Self::Agent(identity) => identity.agent.to_string(),
            Self::Public(PublicClient::CommandLine) => CLI_CLIENT.to_owned(),
        }
    }
}

impl App {
    /// Who presents themselves, proven as their kind of client must be.
    pub(super) async fn identify(&self, presented: PresentedClient, origin: &Origin) -> Result<Party, OAuthError> {
        match presented {
            PresentedClient::Secret { client_id, secret, .. } => self.prove_by_secret(&client_id, secret, origin).await,
            PresentedClient::Assertion { client_id, assertion } => {
                self.prove_by_assertion(client_id.as_deref(), &assertion, origin).await
            }
            PresentedClient::Public { client_id } if client_id == CLI_CLIENT => {
                Ok(Party::Public(PublicClient::CommandLine))
            }
            PresentedClient::Public { client_id } => self.public_client(&client_id).await,
            PresentedClient::Nobody => Err(nobody()),
        }
    }

    async fn public_client(&self, client_id: &str) -> Result<Party, OAuthError> {
        let id: ClientId = client_id.parse().map_err(|_| nobody())?;
        let found = self.store.read(SCOPE, "public_client", move |tx| credential::client_anywhere(tx, id)).await?;
        match found {
            Some((_, client, _)) if client.active && client.authentication == ClientAuthentication::None => {
                Ok(Party::Public(PublicClient::Of(Box::new(client))))
            }
            _ => Err(nobody()),
        }
    }

    async fn prove_by_secret(
        &self,
        client_id: &str,
        secret: SecretString,
        origin: &Origin,
    ) -> Result<Party, OAuthError> {
        let (now, address) = (self.context.now(), address_subject(origin));
        let id = client_id.parse::<ClientId>().ok();
        let subject = address.clone();
        let (attempts, found) = self
            .store
            .read(SCOPE, "client_sign_in", move |tx| {
                let found = id.map(|id| credential::client_anywhere(tx, id)).transpose()?.flatten();
                Ok((attempts(tx, &subject)?, found))
            })
            .await?;
        let counted = match attempts.admit(ThrottleRule::ADDRESS, now) {
            Admission::Try(counted) => counted,
            Admission::Wait { seconds } => return Err(wait(seconds).into()),
        };
        match found {
            Some((tenant, client, proof)) if is_proven(&client, &proof, &secret) => {
                Ok(Party::Client(tenant, Box::new(client)))
            }
            other => {
                let account = other.map(|(tenant, client, _)| Account::client(tenant, client.id));
                let (audit, from) = (self.context.id(), origin.clone());
                self.store
                    .write(SCOPE, "client_sign_in_failed", move |tx| {
                        account.as_ref().map_or(Ok(()), |account| account.note(tx, audit, &from, now))?;
                        remember(tx, &address, counted, now)
                    })
                    .await?;
                tracing::warn!(request_id = origin.request_id, "a client did not prove who it is");
                Err(nobody())
            }
        }
    }
}

fn is_proven(client: &Client, proof: &ClientProof, secret: &SecretString) -> bool {
    let known = proof.secret.as_ref().is_some_and(|known| secret::matches(secret, known));
    known && client.active && client.authentication == ClientAuthentication::ClientSecret
}

/// By what failed attempts of an address are known.
pub(super) fn address_subject(origin: &Origin) -> String {
    format!("address:{}", origin.address.as_deref().unwrap_or("unknown"))
}

/// What is remembered of failed attempts.
pub(super) fn attempts(tx: &mut Tx<'_>, subject: &str) -> Result<Attempts> {
    let known = credential::attempts(tx, subject)?;
    Ok(known.map_or_else(Attempts::default, |(failures, last_at)| Attempts { failures, last_at: Some(last_at) }))
}

/// Remembers attempts.
pub(super) fn remember(tx: &mut Tx<'_>, subject: &str, attempts: Attempts, now: Timestamp) -> Result<()> {
    credential::set_attempts(tx, subject, attempts.failures, attempts.last_at.unwrap_or(now))
}

fn wait(seconds: i64) -> Error {
    Error::new(ErrorCode::RateLimited, format!("too many attempts have failed; try again in {seconds} seconds"))
        .details(serde_json::json!({ "retryAfterSeconds": seconds }))
}

/// The same answer for whatever reason.
pub(super) fn nobody() -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidClient, "the client is unknown, deactivated, or did not prove who it is")
}
