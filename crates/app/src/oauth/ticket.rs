//! Stream tickets: what a browser opens a stream with.

use std::sync::Arc;

use plimsoll_authority::{
    secret::ExposeSecret as _,
    token::{StreamTicket as Admitted, TicketGrant, Verification, VerifiedToken},
};
use plimsoll_core::{Error, ErrorCode, Result, permission::Permission};
use plimsoll_protocol::{identity::StreamTicket, secret::SecretText};
use plimsoll_store::{
    Scope,
    identity::nonce::{self, NonceKind},
};

use crate::App;

impl App {
    /// A ticket for the stream at `stream`, which the bearer of `token` may open: the caller checked it.
    pub fn stream_ticket_create(
        &self,
        token: &VerifiedToken,
        stream: &str,
        permission: Permission,
    ) -> Result<StreamTicket> {
        let grant = TicketGrant { token, stream, permissions: &[permission] };
        let issued = self.authority()?.issuer().issue_ticket(grant, &self.context)?;
        Ok(StreamTicket { ticket: SecretText::new(issued.token.expose_secret()), expires_at: issued.expires_at })
    }

    /// Whom a ticket for `stream` speaks for. It is used up.
    pub async fn admit_ticket(&self, ticket: &str, stream: &str) -> Result<Arc<VerifiedToken>> {
        let admitted = self.authority()?.gate().admit_ticket(ticket, stream, self.context.now())?;
        let Admitted { jti, expires_at, session } = admitted;
        let token = match session {
            Verification::Complete(token) => token,
            Verification::Bound(token) => {
                let limited = self.limited_grants(token.principal()).await?;
                Arc::new(token.complete(limited))
            }
        };
        let scope = Scope::Tenant(token.principal.tenant);
        let first = self
            .store
            .write(scope, "ticket_spend", move |tx| nonce::spend(tx, NonceKind::StreamTicket, &jti, expires_at))
            .await?;
        if first {
            return Ok(token);
        }
        Err(Error::new(ErrorCode::Unauthenticated, "this ticket was used before; ask for another one"))
    }
}
