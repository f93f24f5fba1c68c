//! `/oauth/token`.

use plimsoll_authority::{
    oauth::{OAuthError, OAuthErrorCode, PresentedClient, TokenRequest, TokenResponse, narrow},
    token::{ACCESS_TOKEN_SECONDS, IssuedToken, Subject},
};
use plimsoll_core::{Timestamp, identity::Client};
use plimsoll_store::{Scope, identity::credential, resource};

use super::{OAuthRequest, client::Proven};
use crate::{App, identity::subject};

/// `lastUsedAt` is written at most this often: a busy client fetches many tokens.
const USE_SECONDS: i64 = 60;

impl App {
    /// Answers a token request.
    pub async fn oauth_token(&self, mut request: OAuthRequest) -> Result<TokenResponse, OAuthError> {
        let presented = PresentedClient::read(request.authorization.as_deref(), &mut request.form)?;
        match TokenRequest::read(&mut request.form)? {
            TokenRequest::ClientCredentials { scope } => {
                let proven = self.prove_client(presented, &request.origin).await?;
                self.client_token(proven, scope.as_deref()).await
            }
            TokenRequest::RefreshToken { .. } | TokenRequest::DeviceCode { .. } | TokenRequest::JwtBearer { .. } => {
                Err(OAuthError::new(OAuthErrorCode::UnsupportedGrantType, "this grant is not offered yet"))
            }
        }
    }

    async fn client_token(&self, proven: Proven, scope: Option<&str>) -> Result<TokenResponse, OAuthError> {
        let id = proven.client.id;
        let subject =
            self.store.read(Scope::Tenant(proven.tenant), "client_token", move |tx| subject::of_client(tx, id)).await?;
        let answer = self.issue(subject, scope)?;
        self.note_client_use(proven).await?;
        Ok(answer)
    }

    /// A token for `subject`, narrowed to `scope`, without a refresh token.
    pub(super) fn issue(&self, subject: Subject, scope: Option<&str>) -> Result<TokenResponse, OAuthError> {
        let (issued, scope) = self.issue_narrowed(subject, scope)?;
        Ok(TokenResponse::new(issued, None, scope))
    }

    /// A token for `subject`, and the scope that was granted.
    pub(super) fn issue_narrowed(
        &self,
        subject: Subject,
        scope: Option<&str>,
    ) -> Result<(IssuedToken, Option<String>), OAuthError> {
        let (grants, said) = narrow(&subject.grants, scope)?;
        let subject = Subject { grants, scope: said.clone(), ..subject };
        Ok((self.authority()?.issuer().issue(&subject, ACCESS_TOKEN_SECONDS, &self.context)?, said))
    }

    async fn note_client_use(&self, proven: Proven) -> Result<(), OAuthError> {
        let now = self.context.now();
        if !is_due(&proven.client, now) {
            return Ok(());
        }
        let id = proven.client.id;
        self.store
            .write(Scope::Tenant(proven.tenant), "client_used", move |tx| {
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
