//! `/oauth/token`.

use plimsoll_authority::{
    oauth::{OAuthError, OAuthErrorCode, PresentedClient, TokenRequest, TokenResponse, narrow},
    token::{ACCESS_TOKEN_SECONDS, IssuedToken, Subject},
};
use plimsoll_core::{
    Timestamp,
    id::{ClientId, SessionId, TenantId},
    identity::Client,
};
use plimsoll_store::{
    Scope,
    identity::{agent::AgentIdentity, credential},
    resource,
};

use super::{OAuthRequest, client::Party};
use crate::{App, identity::subject};

/// `lastUsedAt` is written at most this often: a busy client fetches many tokens.
const USE_SECONDS: i64 = 60;

impl App {
    /// Answers a token request.
    pub async fn oauth_token(&self, mut request: OAuthRequest) -> Result<TokenResponse, OAuthError> {
        let presented = PresentedClient::read(request.authorization.as_deref(), &mut request.form)?;
        match TokenRequest::read(&mut request.form)? {
            TokenRequest::ClientCredentials { scope } => {
                let party = self.identify(presented, &request.origin).await?;
                self.own_token(party, scope.as_deref()).await
            }
            TokenRequest::JwtBearer { assertion, scope } => {
                let signed = PresentedClient::Assertion { client_id: named(presented)?, assertion };
                let party = self.identify(signed, &request.origin).await?;
                self.own_token(party, scope.as_deref()).await
            }
            TokenRequest::RefreshToken { refresh_token, scope } => {
                let party = self.identify(presented, &request.origin).await?;
                self.refresh(&party, &refresh_token, scope.as_deref(), &request.origin).await
            }
            TokenRequest::DeviceCode { device_code } => {
                let party = self.identify(presented, &request.origin).await?;
                self.redeem_device_code(&party, &device_code).await
            }
        }
    }

    /// A token that speaks for the party itself.
    async fn own_token(&self, party: Party, scope: Option<&str>) -> Result<TokenResponse, OAuthError> {
        match party {
            Party::Client(tenant, client) => self.client_token(tenant, *client, scope).await,
            Party::Agent(identity) => self.agent_token(*identity, scope).await,
            Party::Public(_) => Err(OAuthError::new(
                OAuthErrorCode::UnauthorizedClient,
                "a public client has no rights of its own; sign in with the device grant",
            )),
        }
    }

    async fn client_token(
        &self,
        tenant: TenantId,
        client: Client,
        scope: Option<&str>,
    ) -> Result<TokenResponse, OAuthError> {
        let id = client.id;
        let subject =
            self.store.read(Scope::Tenant(tenant), "client_token", move |tx| subject::of_client(tx, id)).await?;
        let (issued, said) = self.issue_narrowed(subject, scope, None)?;
        if is_due(&client, self.context.now()) {
            self.note_client_use(tenant, id).await?;
        }
        Ok(TokenResponse::new(issued, None, said))
    }

    async fn agent_token(&self, identity: AgentIdentity, scope: Option<&str>) -> Result<TokenResponse, OAuthError> {
        let tenant = Scope::Tenant(identity.tenant);
        let subject = self.store.read(tenant, "agent_token", move |tx| subject::of_agent(tx, &identity)).await?;
        let (issued, said) = self.issue_narrowed(subject, scope, None)?;
        Ok(TokenResponse::new(issued, None, said))
    }

    /// A token for `subject`, in a session or by itself, and the scope that was granted.
    pub(super) fn issue_narrowed(
        &self,
        subject: Subject,
        scope: Option<&str>,
        session: Option<SessionId>,
    ) -> Result<(IssuedToken, Option<String>), OAuthError> {
        let (grants, said) = narrow(&subject.grants, scope)?;
        let subject = Subject { grants, scope: said.clone(), ..subject };
        let issuer = self.authority()?.issuer();
        Ok((issuer.issue_in(session, &subject, ACCESS_TOKEN_SECONDS, &self.context)?, said))
    }

    async fn note_client_use(&self, tenant: TenantId, id: ClientId) -> Result<(), OAuthError> {
        let now = self.context.now();
        self.store
            .write(Scope::Tenant(tenant), "client_used", move |tx| {
                let Some(mut client) = resource::find::<Client>(tx, id)? else { return Ok(()) };
                client.last_used_at = Some(now);
                credential::note_use(tx, &client)
            })
            .await
            .map_err(OAuthError::from)
    }
}

fn is_due(client: &Client, now: Timestamp) -> bool {
    client.last_used_at.is_none_or(|last| now.seconds_since(last) >= USE_SECONDS)
}

/// With the `jwt-bearer` grant the assertion itself says who signs; a client may be named beside it.
fn named(presented: PresentedClient) -> Result<Option<String>, OAuthError> {
    match presented {
        PresentedClient::Nobody => Ok(None),
        PresentedClient::Public { client_id } => Ok(Some(client_id)),
        PresentedClient::Secret { .. } | PresentedClient::Assertion { .. } => Err(OAuthError::new(
            OAuthErrorCode::InvalidRequest,
            "the assertion says who you are; leave out the client's other proof",
        )),
    }
}
