//! Checking access tokens.

use std::{fmt, sync::Arc};

use plimsoll_core::{
    Timestamp,
    audit::{Principal, PrincipalType},
    id::SessionId,
    permission::{Grant, Permission},
};

use super::{
    AccessTokenClaims, ClaimedGrants, HeaderRules, Refusal, StrictToken,
    issue::ACCESS_TOKEN_TYPE,
    strict::{Leniency, check_times},
};
use crate::keys::PublicKey;

/// Checks tokens of one installation against its published keys.
#[derive(Clone, Debug)]
pub struct Verifier {
    iss: String,
    aud: String,
    published: Vec<PublicKey>,
}

/// A token that is accepted: who calls, and until when.
#[derive(Clone, Debug)]
pub struct VerifiedToken {
    /// Who calls, with all that they may do.
    pub principal: Principal,
    /// The OAuth client that fetched the token.
    pub client_id: String,
    /// The scope that was asked for, if any.
    pub scope: Option<String>,
    /// The sign-in that it was given in, if it was one.
    pub session: Option<SessionId>,
    /// Until when it is accepted.
    pub expires_at: Timestamp,
    /// The tenant's counter of changes to who may do what, when it was issued.
    pub authz_version: u64,
    /// The key that signed it.
    pub kid: String,
}

/// A token that is accepted, or would be but for grants that did not fit in it.
#[derive(Debug)]
pub enum Verification {
    /// Everything is known.
    Complete(Arc<VerifiedToken>),
    /// Limited grants must be looked up first.
    Bound(Box<BoundToken>),
}

/// An accepted token whose limited grants did not fit in it (see [`super::GrantsClaim`]).
pub struct BoundToken {
    /// Everything but the limited grants.
    partial: VerifiedToken,
    claimed: ClaimedGrants,
}

impl BoundToken {
    /// Whose grants to look up. Its own `grants` are not complete yet.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.partial.principal
    }

    /// Of which permissions.
    pub fn permissions(&self) -> impl Iterator<Item = Permission> {
        self.claimed.bound.iter().copied()
    }

    /// Completes the token. Of `limited` only what the token names is taken.
    #[must_use]
    pub fn complete(self, limited: impl IntoIterator<Item = Grant>) -> VerifiedToken {
        let mut token = self.partial;
        token.principal.grants = self.claimed.complete(limited);
        token
    }

    pub(super) const fn partial(&self) -> &VerifiedToken {
        &self.partial
    }
}

impl fmt::Debug for BoundToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoundToken({:?}, {:?})", self.partial.principal.id, self.claimed.bound)
    }
}

impl Verifier {
    /// For tokens that `iss` issued for `aud` with one of `published`.
    pub fn new(iss: impl Into<String>, aud: impl Into<String>, published: Vec<PublicKey>) -> Self {
        Self { iss: iss.into(), aud: aud.into(), published }
    }

    /// Checks an access token at `now`. Revocation is another question: [`super::RevocationState::check`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Verification, Refusal> {
        let (kid, claims) = self.claims(token, ACCESS_TOKEN_TYPE)?;
        let expires_at = self.check(&claims, now)?;
        Ok(accept(claims, kid, expires_at))
    }

    /// The claims of a token of ours with this `typ`, signature checked, times and names not.
    pub(super) fn claims<C: serde::de::DeserializeOwned>(
        &self,
        token: &str,
        typ: &str,
    ) -> Result<(String, C), Refusal> {
        let token = StrictToken::parse(token, HeaderRules { types: &[typ], lenient: Leniency::None })?;
        let kid = token.kid().unwrap_or_default().to_owned();
        let key = self.find(&kid).ok_or(Refusal::UnknownKey)?;
        Ok((kid, token.verify(key)?))
    }

    /// Checks issuer, audience, kind and times; gives the instant of `exp`.
    pub(super) fn check(&self, claims: &AccessTokenClaims, now: Timestamp) -> Result<Timestamp, Refusal> {
        if claims.iss != self.iss {
            return Err(Refusal::Claim("iss".to_owned()));
        }
        if claims.aud != self.aud {
            return Err(Refusal::Claim("aud".to_owned()));
        }
        match claims.principal_type {
            PrincipalType::User | PrincipalType::Client | PrincipalType::Agent => {}
            // The server calls itself without tokens.
            PrincipalType::System => return Err(Refusal::Claim("principal_type".to_owned())),
        }
        check_times(claims.exp, Some(claims.nbf), claims.iat, now)
    }

    /// Whether the key with this id is published.
    #[must_use]
    pub fn publishes(&self, kid: &str) -> bool {
        self.find(kid).is_some()
    }

    fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.published.iter().find(|key| key.kid() == kid)
    }
}

/// The caller that `claims` speak for.
pub(super) fn accept(claims: AccessTokenClaims, kid: String, expires_at: Timestamp) -> Verification {
    let claimed = claims.permissions.read();
    let principal = Principal {
        tenant: claims.tenant_id,
        kind: claims.principal_type,
        id: claims.sub,
        user: claims.user_id,
        name: claims.name,
        roles: claims.roles,
        grants: claimed.grants.clone(),
        token_id: claims.jti,
    };
    let token = VerifiedToken {
        principal,
        client_id: claims.client_id,
        scope: claims.scope,
        session: claims.sid,
        expires_at,
        authz_version: claims.authz_version,
        kid,
    };
    if claimed.bound.is_empty() {
        Verification::Complete(Arc::new(token))
    } else {
        Verification::Bound(Box::new(BoundToken { partial: token, claimed }))
    }
}
