//! `/oauth/revoke` (RFC 7009) and `/oauth/introspect` (RFC 7662).

use plimsoll_authority::{
    oauth::{IntrospectionResponse, OAuthError, OAuthErrorCode, PresentedClient, TokenQuery, refresh::RefreshToken},
    secret::{ExposeSecret as _, SecretString},
    token::{Admission, VerifiedToken},
};
use plimsoll_core::{Error, ErrorCode, Result};
use plimsoll_store::{
    Scope,
    identity::{
        revocation::{self, Revoked},
        session,
    },
};
use std::sync::Arc;

use super::{
    OAuthRequest,
    client::{Party, SCOPE},
    refresh::{TRIES, changed, end_tokens, family_of},
};
use crate::App;

impl App {
    /// Ends a session, or one access token. A token that is not the client's is left alone, and nothing is
    /// said of it.
    pub async fn oauth_revoke(&self, mut request: OAuthRequest) -> Result<(), OAuthError> {
        let presented = PresentedClient::read(request.authorization.as_deref(), &mut request.form)?;
        let party = self.identify(presented, &request.origin).await?;
        let query = TokenQuery::read(&mut request.form)?;
        match RefreshToken::parse(&query.token) {
            Some(token) => self.sign_out(&party, token).await?,
            None => self.revoke_access_token(&party, &query.token).await?,
        }
        // Here at once, elsewhere within seconds.
        self.renew_authority().await.map_err(OAuthError::from)
    }

    async fn sign_out(&self, party: &Party, token: RefreshToken) -> Result<()> {
        let (now, client_id, id) = (self.context.now(), party.client_id(), token.session());
        for _ in 0..TRIES {
            let read = self.store.read(SCOPE, "session_read", move |tx| session::find_anywhere(tx, id)).await?;
            let Some(row) = read else { return Ok(()) };
            let family = family_of(&row)?;
            if family.client_id != client_id || !family.knows(&token) {
                return Ok(());
            }
            let next = changed(&row, &family.sign_out(now), &row.token_id)?;
            let ended = self
                .store
                .write(Scope::Tenant(row.tenant), "session_sign_out", move |tx| {
                    end_tokens(tx, &row, now)?;
                    session::update(tx, &next, &row)
                })
                .await?;
            if ended {
                return Ok(());
            }
            // Somebody refreshed at the same moment: the session goes on until it is read anew and ended.
        }
        Err(Error::new(ErrorCode::Unavailable, "the session is busy and could not be ended; try again"))
    }

    async fn revoke_access_token(&self, party: &Party, text: &SecretString) -> Result<()> {
        let Ok(token) = self.admitted(text).await else { return Ok(()) };
        if token.client_id != party.client_id() {
            return Ok(());
        }
        let (revoked, until) = (Revoked::Token(token.principal.token_id.clone()), token.expires_at);
        let scope = Scope::Tenant(token.principal.tenant);
        self.store.write(scope, "token_revoke", move |tx| revocation::revoke(tx, &revoked, until)).await
    }

    /// Says whether an access token is accepted, to a client of the same tenant.
    pub async fn oauth_introspect(&self, mut request: OAuthRequest) -> Result<IntrospectionResponse, OAuthError> {
        let presented = PresentedClient::read(request.authorization.as_deref(), &mut request.form)?;
        let Party::Client(tenant, _) = self.identify(presented, &request.origin).await? else {
            return Err(OAuthError::new(
                OAuthErrorCode::UnauthorizedClient,
                "only a client that proves who it is may ask about tokens",
            ));
        };
        let query = TokenQuery::read(&mut request.form)?;
        match self.admitted(&query.token).await {
            Ok(token) if token.principal.tenant == tenant => Ok(IntrospectionResponse::active(&token)),
            _ => Ok(IntrospectionResponse::inactive()),
        }
    }

    /// Whom an access token speaks for; limited grants that it leaves out are looked up.
    pub async fn admitted(&self, text: &SecretString) -> Result<Arc<VerifiedToken>> {
        let (gate, now) = (self.authority()?.gate(), self.context.now());
        match gate.admit(text.expose_secret(), now)? {
            Admission::Ready(token) => Ok(token),
            Admission::NeedsGrants { token, text } => {
                let limited = self.limited_grants(token.principal()).await?;
                Ok(gate.complete(token, text, limited, now))
            }
        }
    }
}
