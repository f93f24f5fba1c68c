//! Issuing access tokens.

use std::sync::Arc;

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::PrincipalType,
    context::Context,
    id::{RegistrationTokenId, SessionId, TenantId, TypedId, UserId},
    permission::{Grant, Grants, Permission},
};
use secrecy::SecretString;
use serde::Serialize;
use uuid::Uuid;

use super::{AccessTokenClaims, GrantsClaim, MAX_TOKEN_BYTES, Verifier};
use crate::keys::SigningKeySet;

/// `typ` of an access token (RFC 9068, section 2.1).
pub(super) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// Signs tokens for one installation with the active key of one key set.
#[derive(Clone, Debug)]
pub struct Issuer {
    pub(super) iss: String,
    pub(super) aud: String,
    pub(super) keys: Arc<SigningKeySet>,
}

/// For whom a token is issued, as read from the database.
///
/// Read `authz_version` BEFORE the roles and grants, or in one snapshot with them. Then a change in
/// between makes the token stale; the other way round it would carry old grants under the new version.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The tenant.
    pub tenant: TenantId,
    /// What kind of principal.
    pub kind: PrincipalType,
    /// The user's, client's or agent's id.
    pub id: Uuid,
    /// The contract's `user_id`: of a client, its service user; of an agent, its own id.
    pub user: UserId,
    /// For messages and the audit trail.
    pub name: String,
    /// Names of the roles held.
    pub roles: Vec<String>,
    /// What it may do, narrowed to the scope.
    pub grants: Grants,
    /// The OAuth client that fetches the token.
    pub client_id: String,
    /// The scope that was asked for, if any.
    pub scope: Option<String>,
    /// The tenant's counter of changes to who may do what.
    pub authz_version: u64,
}

impl Subject {
    /// The subject of a one-time registration token: its only permission is to enrol one agent. Its
    /// principal is a client whose id is the registration token's own, so that it can be found, used up
    /// and revoked by that id.
    #[must_use]
    pub fn registration(tenant: TenantId, id: RegistrationTokenId, created_by: UserId, authz_version: u64) -> Self {
        Self {
            tenant,
            kind: PrincipalType::Client,
            id: id.uuid(),
            user: created_by,
            name: format!("registration token {id}"),
            roles: Vec::new(),
            grants: Grants::new([Grant { permission: Permission::AgentRegister, environment: None }]),
            client_id: id.to_string(),
            scope: None,
            authz_version,
        }
    }
}

/// A token just issued. It is shown to its owner and kept nowhere.
#[derive(Debug)]
pub struct IssuedToken {
    /// The token.
    pub token: SecretString,
    /// Its id, for revocation.
    pub jti: String,
    /// Until when it is accepted.
    pub expires_at: Timestamp,
    /// Seconds from now until then.
    pub expires_in_seconds: i64,
}

impl Issuer {
    /// `iss` names this installation (its public base URL), `aud` its API. The database remembers both.
    pub fn new(iss: impl Into<String>, aud: impl Into<String>, keys: Arc<SigningKeySet>) -> Self {
        Self { iss: iss.into(), aud: aud.into(), keys }
    }

    /// The name of this installation.
    #[must_use]
    pub fn iss(&self) -> &str {
        &self.iss
    }

    /// The keys in force.
    #[must_use]
    pub fn keys(&self) -> &SigningKeySet {
        &self.keys
    }

    /// What checks the tokens that this issues.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        Verifier::new(&self.iss, &self.aud, self.keys.published().to_vec())
    }

    /// An access token for `subject` that lives `lifetime_seconds`.
    pub fn issue(&self, subject: &Subject, lifetime_seconds: i64, context: &Context) -> Result<IssuedToken> {
        self.issue_in(None, subject, lifetime_seconds, context)
    }

    /// Like [`Issuer::issue`], for a sign-in with which the token ends.
    pub fn issue_in(
        &self,
        session: Option<SessionId>,
        subject: &Subject,
        lifetime_seconds: i64,
        context: &Context,
    ) -> Result<IssuedToken> {
        let now = context.now();
        let claims = AccessTokenClaims {
            iss: self.iss.clone(),
            sub: subject.id,
            aud: self.aud.clone(),
            exp: now.as_seconds().saturating_add(lifetime_seconds),
            nbf: now.as_seconds(),
            iat: now.as_seconds(),
            jti: context.uuid().to_string(),
            client_id: subject.client_id.clone(),
            scope: subject.scope.clone(),
            user_id: subject.user,
            tenant_id: subject.tenant,
            roles: subject.roles.clone(),
            permissions: GrantsClaim::new(&subject.grants),
            principal_type: subject.kind,
            authz_version: subject.authz_version,
            sid: session,
            name: subject.name.clone(),
        };
        self.sign(ACCESS_TOKEN_TYPE, &claims, claims.jti.clone(), claims.exp, lifetime_seconds)
    }

    pub(super) fn sign<C: Serialize>(
        &self,
        typ: &str,
        claims: &C,
        jti: String,
        exp: i64,
        lifetime_seconds: i64,
    ) -> Result<IssuedToken> {
        let token = self.keys.active().sign(typ, claims)?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Error::new(
                ErrorCode::RuleViolated,
                "the roles of this principal do not fit in a token; give it fewer roles, or one that unites them",
            ));
        }
        Ok(IssuedToken {
            token: SecretString::from(token),
            jti,
            expires_at: Timestamp::from_seconds(exp),
            expires_in_seconds: lifetime_seconds,
        })
    }
}
