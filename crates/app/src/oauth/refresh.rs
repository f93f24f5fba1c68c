//! Refresh tokens: each is good once; an old one that comes back ends its session.

use plimsoll_authority::{
    oauth::{
        OAuthError, TokenResponse,
        refresh::{RefreshFamily, RefreshOutcome, RefreshToken, SessionPolicy, refused},
    },
    secret::SecretString,
    token::Subject,
};
use plimsoll_core::{
    Error, Result,
    audit::{AuditOutcome, Origin},
    id::AuditEventId,
    permission::Grants,
};
use plimsoll_store::{
    Scope, Tx,
    audit::{self, AuditEntry},
    identity::{
        revocation::{self, Revoked},
        session::{self, SessionRow},
    },
};
use serde_json::json;

use super::client::{Party, SCOPE};
use crate::{
    App,
    identity::{first_start::server_principal, renewal::outlives_tokens, subject},
};

/// How often a lost race is repeated.
pub(super) const TRIES: usize = 3;

impl App {
    /// The next tokens of a session.
    pub(super) async fn refresh(
        &self,
        party: &Party,
        text: &SecretString,
        scope: Option<&str>,
        origin: &Origin,
    ) -> Result<TokenResponse, OAuthError> {
        let token = RefreshToken::parse(text).ok_or_else(refused)?;
        let next = token.next(&self.context);
        let (id, client_id) = (token.session(), party.client_id());
        for _ in 0..TRIES {
            let read = self.store.read(SCOPE, "session_read", move |tx| session::find_anywhere(tx, id)).await?;
            let row = read.ok_or_else(refused)?;
            let now = self.context.now();
            match family_of(&row)?.present(&token, &next, &client_id, SessionPolicy::DEFAULT, now) {
                RefreshOutcome::Refused => return Err(refused()),
                RefreshOutcome::Reused(family) => {
                    if self.end_reused(row, &family, origin).await? {
                        return Err(refused());
                    }
                    // The owner refreshed at the same moment: the session is read anew and ended.
                }
                RefreshOutcome::Rotated(family) => return self.rotate(row, &family, &next, scope).await,
            }
        }
        Err(refused())
    }

    async fn rotate(
        &self,
        row: SessionRow,
        family: &RefreshFamily,
        next: &RefreshToken,
        scope: Option<&str>,
    ) -> Result<TokenResponse, OAuthError> {
        let (tenant, user, client_id) = (Scope::Tenant(row.tenant), row.user, family.client_id.clone());
        let subject =
            self.store.read(tenant, "session_subject", move |tx| subject::of_user(tx, user, &client_id)).await;
        let subject = subject.map_err(|_| refused())?;
        let subject = still_in_scope(subject, row.scope.as_deref());
        let (issued, said) = self.issue_narrowed(subject, scope, Some(row.id))?;
        let said = said.or_else(|| row.scope.clone());
        let changed = changed(&row, family, &issued.jti)?;
        let rotated = self.store.write(tenant, "session_rotate", move |tx| session::update(tx, &changed, &row)).await?;
        if rotated {
            return Ok(TokenResponse::new(issued, Some(next.to_text()), said));
        }
        // Somebody used the same token at the same moment; which of the two was copied nobody knows.
        Err(refused())
    }

    /// Ends a session whose old token came back, and the access tokens that it gave. `false` when it changed
    /// meanwhile.
    async fn end_reused(&self, row: SessionRow, family: &RefreshFamily, origin: &Origin) -> Result<bool, OAuthError> {
        let (now, audit_id) = (self.context.now(), self.context.id::<AuditEventId>());
        let (next, origin) = (changed(&row, family, &row.token_id)?, origin.clone());
        tracing::warn!(user = %row.user, session = %row.id, "an old refresh token came back; its session ends");
        self.store
            .write(Scope::Tenant(row.tenant), "session_reused", move |tx| {
                if !session::update(tx, &next, &row)? {
                    return Ok(false);
                }
                end_tokens(tx, &row, now)?;
                let entry = AuditEntry {
                    id: audit_id,
                    at: now,
                    action: "session_ended",
                    resource_type: "user",
                    resource_id: Some(row.user.to_string()),
                    outcome: AuditOutcome::Succeeded,
                    error_code: None,
                    change: Some(json!({ "session": row.id.to_string(), "reason": "a refresh token was used twice" })),
                };
                audit::append(tx, &server_principal(row.tenant), &origin, entry)?;
                Ok(true)
            })
            .await
            .map_err(OAuthError::from)
    }
}

/// Ends every access token that a session gave.
pub(super) fn end_tokens(tx: &mut Tx<'_>, row: &SessionRow, now: plimsoll_core::Timestamp) -> Result<()> {
    revocation::revoke(tx, &Revoked::Session(row.id), outlives_tokens(now))
}

/// The stored family of a session's refresh tokens.
pub(super) fn family_of(row: &SessionRow) -> Result<RefreshFamily> {
    serde_json::from_str(&row.family)
        .map_err(|cause| Error::internal_defect(format!("a stored session does not fit: {cause}")))
}

/// A session's row with the next state of its family.
pub(super) fn changed(row: &SessionRow, family: &RefreshFamily, token_id: &str) -> Result<SessionRow> {
    let text = serde_json::to_string(family)
        .map_err(|cause| Error::internal_defect(format!("a session is not JSON: {cause}")))?;
    Ok(SessionRow { generation: family.generation, family: text, token_id: token_id.to_owned(), ..row.clone() })
}

/// A session never gets more than it began with; what its user lost meanwhile is lost here too.
fn still_in_scope(subject: Subject, scope: Option<&str>) -> Subject {
    let Some(scope) = scope else { return subject };
    let names: Vec<&str> = scope.split(' ').collect();
    let kept = subject.grants.iter().copied().filter(|grant| names.contains(&grant.permission.as_str()));
    Subject { grants: Grants::new(kept), scope: Some(scope.to_owned()), ..subject }
}
