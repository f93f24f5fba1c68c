//! The door for bearer tokens: cache, signature, revocation, in the order that costs least.

use std::sync::{Arc, PoisonError, RwLock};

use plimsoll_core::{Digest, Result, Timestamp, permission::Grant};

use super::{
    BoundToken, MAX_TOKEN_BYTES, Refusal, RevocationState, STALE_AFTER_SECONDS, StreamTicket, Verification,
    VerifiedToken, VerifiedTokenCache, Verifier,
};

/// What checks every request's token on this replica. Keys and revocations are swapped while it runs.
#[derive(Debug)]
pub struct TokenGate {
    verifier: RwLock<Arc<Verifier>>,
    revocations: RwLock<Arc<RevocationState>>,
    cache: VerifiedTokenCache,
}

/// What the gate says of an acceptable token.
#[derive(Debug)]
pub enum Admission {
    /// Come in.
    Ready(Arc<VerifiedToken>),
    /// Look up the limited grants of [`BoundToken::principal`], then call [`TokenGate::complete`].
    NeedsGrants {
        /// The token but for those grants.
        token: Box<BoundToken>,
        /// The digest of its text.
        text: Digest,
    },
}

impl TokenGate {
    /// With the keys, revocations and cache to begin with.
    #[must_use]
    pub fn new(verifier: Verifier, revocations: RevocationState, cache: VerifiedTokenCache) -> Self {
        Self { verifier: RwLock::new(Arc::new(verifier)), revocations: RwLock::new(Arc::new(revocations)), cache }
    }

    /// Admits the bearer of `token` at `now`, or says why not.
    pub fn admit(&self, token: &str, now: Timestamp) -> Result<Admission> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLarge.into());
        }
        let (text, verifier, revocations) = (Digest::of(token.as_bytes()), self.verifier(), self.revocations());
        if let Some(known) = self.cache.get(&text, now) {
            // A key can be withdrawn while tokens that it signed are in the cache.
            if !verifier.publishes(&known.kid) {
                return Err(Refusal::Revoked.into());
            }
            revocations.check(&known)?;
            return Ok(Admission::Ready(known));
        }
        match verifier.verify(token, now)? {
            Verification::Complete(token) => {
                revocations.check(&token)?;
                Ok(Admission::Ready(self.keep(text, token, now)))
            }
            Verification::Bound(token) => {
                revocations.check(token.partial())?;
                Ok(Admission::NeedsGrants { token, text })
            }
        }
    }

    /// Completes a token whose limited grants were looked up, and keeps it.
    pub fn complete(
        &self,
        token: Box<BoundToken>,
        text: Digest,
        limited: impl IntoIterator<Item = Grant>,
        now: Timestamp,
    ) -> Arc<VerifiedToken> {
        self.keep(text, Arc::new(token.complete(limited)), now)
    }

    /// Admits the bearer of a stream ticket for `stream`. The caller must also use up its `jti`.
    pub fn admit_ticket(&self, ticket: &str, stream: &str, now: Timestamp) -> Result<StreamTicket> {
        let ticket = self.verifier().verify_ticket(ticket, stream, now)?;
        match &ticket.session {
            Verification::Complete(token) => self.revocations().check(token)?,
            Verification::Bound(token) => self.revocations().check(token.partial())?,
        }
        Ok(ticket)
    }

    /// Checks again, on a long-lived connection, that the token behind it is good.
    pub fn recheck(&self, token: &VerifiedToken, now: Timestamp) -> Result<()> {
        if now >= token.expires_at {
            return Err(Refusal::Expired.into());
        }
        if !self.verifier().publishes(&token.kid) {
            return Err(Refusal::Revoked.into());
        }
        Ok(self.revocations().check(token)?)
    }

    /// Refuses a mutation when the revocations in force are too old: 503.
    pub fn check_mutation(&self, now: Timestamp) -> Result<()> {
        self.revocations().check_mutation(now)
    }

    /// The revocations in force.
    #[must_use]
    pub fn revocations(&self) -> Arc<RevocationState> {
        Arc::clone(&self.revocations.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a newer snapshot in force. One that was read a little earlier than the present one is left out:
    /// two renewals can overtake each other. One that is much earlier is taken: the clock was set back.
    pub fn renew_revocations(&self, next: RevocationState) {
        let mut current = self.revocations.write().unwrap_or_else(PoisonError::into_inner);
        let behind = current.renewed_at.micros_since(next.renewed_at);
        if !(1..=STALE_AFTER_SECONDS * 1_000_000).contains(&behind) {
            *current = Arc::new(next);
        }
    }

    /// Puts other keys in force, after a rotation.
    pub fn replace_verifier(&self, next: Verifier) {
        *self.verifier.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
    }

    fn verifier(&self) -> Arc<Verifier> {
        Arc::clone(&self.verifier.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self, text: Digest, token: Arc<VerifiedToken>, now: Timestamp) -> Arc<VerifiedToken> {
        self.cache.insert(text, Arc::clone(&token), now);
        token
    }
}
