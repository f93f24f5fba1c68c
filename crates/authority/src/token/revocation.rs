//! What makes a token void before it expires, as one snapshot that every replica renews.

use std::collections::{HashMap, HashSet};

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    id::{SessionId, TenantId, TypedId},
};
use uuid::Uuid;

use super::{Refusal, VerifiedToken};

/// After this long without renewal nothing may be changed on the word of a token.
pub const STALE_AFTER_SECONDS: i64 = 15;

/// Everything that voids tokens, as of one instant. Immutable once in force: the next one replaces it.
///
/// Each tenant has one counter, raised by every change to who may do what. A token carries the counter's
/// value from before its grants were read. A change to one principal records its new value with the
/// principal, a change to many (a role was edited) with the tenant; a token with an older value is stale.
///
/// Only what can void a living token must be in here: entries younger than the longest token's life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationState {
    /// When this was read from the database.
    pub renewed_at: Timestamp,
    /// `jti` of revoked tokens.
    pub revoked_tokens: HashSet<String>,
    /// Sign-ins that were ended.
    pub ended_sessions: HashSet<SessionId>,
    /// Ids of deactivated or deleted users, clients and agents, of used registration tokens.
    pub deactivated: HashSet<Uuid>,
    /// The value of the tenant's counter at the last change to a principal.
    pub principal_versions: HashMap<Uuid, u64>,
    /// The value of a tenant's counter at the last change that concerns all its principals.
    pub tenant_versions: HashMap<TenantId, u64>,
}

/// Whether a snapshot is young enough to act on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is not: reads go on, mutations are refused.
    Stale,
}

impl RevocationState {
    /// Nothing is revoked, as of `renewed_at`.
    #[must_use]
    pub fn new(renewed_at: Timestamp) -> Self {
        Self {
            renewed_at,
            revoked_tokens: HashSet::new(),
            ended_sessions: HashSet::new(),
            deactivated: HashSet::new(),
            principal_versions: HashMap::new(),
            tenant_versions: HashMap::new(),
        }
    }

    /// Whether `token` is still good.
    pub fn check(&self, token: &VerifiedToken) -> Result<(), Refusal> {
        let principal = &token.principal;
        if self.deactivated.contains(&principal.id) || self.deactivated.contains(&principal.user.uuid()) {
            return Err(Refusal::Deactivated);
        }
        let ended = token.session.is_some_and(|session| self.ended_sessions.contains(&session));
        if ended || self.revoked_tokens.contains(&principal.token_id) {
            return Err(Refusal::Revoked);
        }
        let least = [self.principal_versions.get(&principal.id), self.tenant_versions.get(&principal.tenant)];
        if least.into_iter().flatten().any(|least| token.authz_version < *least) {
            return Err(Refusal::Stale);
        }
        Ok(())
    }

    /// Whether this snapshot is young enough at `now`. One from the future is not: the clock was set back,
    /// and its true age is unknown until the next renewal.
    #[must_use]
    pub fn freshness(&self, now: Timestamp) -> Freshness {
        let age = now.micros_since(self.renewed_at);
        if age.saturating_abs() > STALE_AFTER_SECONDS * 1_000_000 { Freshness::Stale } else { Freshness::Fresh }
    }

    /// Refuses a mutation when this snapshot is too old to know who may make it.
    pub fn check_mutation(&self, now: Timestamp) -> Result<()> {
        match self.freshness(now) {
            Freshness::Fresh => Ok(()),
            Freshness::Stale => Err(Error::new(
                ErrorCode::Unavailable,
                "the list of revoked tokens could not be renewed, so that nothing can be changed now; try again soon",
            )
            .internal(format!("the revocation snapshot in force is of {}", self.renewed_at))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_fresh_for_fifteen_seconds_either_way() {
        let read = Timestamp::from_seconds(1_800_000_000);
        let state = RevocationState::new(read);
        for (seconds, expected) in
            [(0, Freshness::Fresh), (15, Freshness::Fresh), (16, Freshness::Stale), (-3600, Freshness::Stale)]
        {
            assert_eq!(state.freshness(read.plus_seconds(seconds)), expected, "{seconds}");
        }
        assert_eq!(state.check_mutation(read.plus_seconds(16)).unwrap_err().code(), ErrorCode::Unavailable);
    }
}
