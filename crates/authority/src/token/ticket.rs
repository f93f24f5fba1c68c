//! One-time tickets with which browsers open a stream: they cannot send an `Authorization` header there.
//!
//! A ticket stands in a URL, so that it lives 30 seconds, opens one stream once, and allows no more than
//! that stream needs. Its `typ` differs from an access token's: neither is ever taken for the other.

use plimsoll_core::{
    Result, Timestamp,
    context::Context,
    permission::{Grants, Permission},
};
use serde::{Deserialize, Serialize};

use super::{
    AccessTokenClaims, GrantsClaim, IssuedToken, Issuer, Refusal, Verification, VerifiedToken, Verifier, verify::accept,
};

/// How long a ticket lives.
pub const TICKET_SECONDS: i64 = 30;

/// `typ` of a ticket.
const TICKET_TYPE: &str = "plimsoll-ticket+jwt";

/// What a ticket is asked for.
#[derive(Clone, Copy, Debug)]
pub struct TicketGrant<'a> {
    /// The token of the caller, whose permission for the stream was checked.
    pub token: &'a VerifiedToken,
    /// The stream's path, such as `/api/v1/deployment-jobs/<id>/stream`.
    pub stream: &'a str,
    /// The permissions that the stream needs. Those of them that the caller holds go along.
    pub permissions: &'a [Permission],
}

/// A ticket that is accepted, once its `jti` has been used up.
#[derive(Debug)]
pub struct StreamTicket {
    /// The ticket's own id: store it until `expires_at`, and refuse the ticket if it is there already.
    pub jti: String,
    /// Until when the ticket is accepted.
    pub expires_at: Timestamp,
    /// The caller, limited to the stream's permissions, until the token that the ticket was asked for with
    /// expires.
    pub session: Verification,
}

#[derive(Serialize, Deserialize)]
struct TicketClaims {
    /// The access token's claims, with the ticket's own `jti`, `exp`, `iat` and `nbf`.
    #[serde(flatten)]
    token: AccessTokenClaims,
    stream: String,
    session_exp: i64,
    session_jti: String,
}

impl Issuer {
    /// A ticket for one stream. It never outlives the token that it is asked for with.
    pub fn issue_ticket(&self, grant: TicketGrant<'_>, context: &Context) -> Result<IssuedToken> {
        let now = context.now().as_seconds();
        let session = grant.token;
        let principal = &session.principal;
        let exp = now.saturating_add(TICKET_SECONDS).min(session.expires_at.as_seconds());
        let narrowed =
            Grants::new(principal.grants.iter().copied().filter(|held| grant.permissions.contains(&held.permission)));
        let jti = context.uuid().to_string();
        let token = AccessTokenClaims {
            iss: self.iss.clone(),
            sub: principal.id,
            aud: self.aud.clone(),
            exp,
            nbf: now,
            iat: now,
            jti: jti.clone(),
            client_id: session.client_id.clone(),
            scope: session.scope.clone(),
            user_id: principal.user,
            tenant_id: principal.tenant,
            roles: Vec::new(),
            permissions: GrantsClaim::new(&narrowed),
            principal_type: principal.kind,
            authz_version: session.authz_version,
            sid: session.session,
            name: principal.name.clone(),
        };
        let claims = TicketClaims {
            token,
            stream: grant.stream.to_owned(),
            session_exp: session.expires_at.as_seconds(),
            session_jti: principal.token_id.clone(),
        };
        self.sign(TICKET_TYPE, &claims, jti, exp, exp - now)
    }
}

impl Verifier {
    /// Checks a ticket for `stream` at `now`. Revocation and single use are the caller's.
    pub fn verify_ticket(&self, ticket: &str, stream: &str, now: Timestamp) -> Result<StreamTicket, Refusal> {
        let (kid, claims) = self.claims::<TicketClaims>(ticket, TICKET_TYPE)?;
        let expires_at = self.check(&claims.token, now)?;
        if claims.stream != stream {
            return Err(Refusal::Claim("stream".to_owned()));
        }
        let session_expires_at = Timestamp::from_seconds(claims.session_exp);
        let jti = claims.token.jti.clone();
        let token = AccessTokenClaims { jti: claims.session_jti, ..claims.token };
        Ok(StreamTicket { jti, expires_at, session: accept(token, kid, session_expires_at) })
    }
}
