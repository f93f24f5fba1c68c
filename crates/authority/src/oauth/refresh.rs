//! Refresh tokens: each is good once; using an old one again revokes all that came from the same sign-in
//! (RFC 9700, section 4.14.2).

use plimsoll_core::{Digest, Timestamp};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

pub use super::refresh_token::RefreshToken;
use super::{OAuthError, OAuthErrorCode};
use crate::secret::same_digest;

/// How long sessions live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionPolicy {
    /// Seconds from sign-in until the user must sign in again, however busy.
    pub longest_seconds: i64,
    /// Seconds without a refresh until the same.
    pub idle_seconds: i64,
}

impl SessionPolicy {
    /// 30 days, 7 of them idle.
    pub const DEFAULT: Self = Self { longest_seconds: 30 * 86_400, idle_seconds: 7 * 86_400 };
}

/// Whether a session can be refreshed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum FamilyState {
    /// It can.
    Live,
    /// Somebody ended it.
    SignedOut {
        /// When.
        at: Timestamp,
    },
    /// An old token was used again: it was copied. Nobody can tell by whom, so that it ends for all.
    Reused {
        /// When.
        at: Timestamp,
    },
}

/// What is stored of a session: no token, only digests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshFamily {
    /// Whether it can be refreshed.
    pub state: FamilyState,
    /// The OAuth client that it was made for.
    pub client_id: String,
    /// The digest of the family's secret.
    pub family: Digest,
    /// The digest of the one good token's own secret.
    pub current: Digest,
    /// Rises with each refresh; guard the write with it.
    pub generation: u64,
    /// When it ends, however busy.
    pub ends_at: Timestamp,
    /// When it ends without a refresh.
    pub idle_until: Timestamp,
}

/// What is decided about a refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefreshOutcome {
    /// Store this, then issue the next token.
    Rotated(RefreshFamily),
    /// An old token came back. Store this, write an audit event, and revoke the session's access tokens.
    Reused(RefreshFamily),
    /// Nothing changes.
    Refused,
}

impl RefreshFamily {
    /// A session that begins with `token`.
    #[must_use]
    pub fn begin(token: &RefreshToken, client_id: impl Into<String>, policy: SessionPolicy, now: Timestamp) -> Self {
        Self {
            state: FamilyState::Live,
            client_id: client_id.into(),
            family: Digest::of(token.family.expose_secret()),
            current: Digest::of(token.own.expose_secret()),
            generation: 1,
            ends_at: now.plus_seconds(policy.longest_seconds),
            idle_until: now.plus_seconds(policy.idle_seconds),
        }
    }

    /// `client_id` presents `token` and would get `next`.
    #[must_use]
    pub fn present(
        &self,
        token: &RefreshToken,
        next: &RefreshToken,
        client_id: &str,
        policy: SessionPolicy,
        now: Timestamp,
    ) -> RefreshOutcome {
        if self.state != FamilyState::Live || self.client_id != client_id {
            return RefreshOutcome::Refused;
        }
        if !same_digest(&Digest::of(token.family.expose_secret()), &self.family) {
            return RefreshOutcome::Refused;
        }
        if !same_digest(&Digest::of(token.own.expose_secret()), &self.current) {
            return RefreshOutcome::Reused(Self { state: FamilyState::Reused { at: now }, ..self.clone() });
        }
        if now >= self.ends_at.min(self.idle_until) {
            return RefreshOutcome::Refused;
        }
        RefreshOutcome::Rotated(Self {
            current: Digest::of(next.own.expose_secret()),
            generation: self.generation.saturating_add(1),
            idle_until: now.plus_seconds(policy.idle_seconds),
            ..self.clone()
        })
    }

    /// The user signs out, or an administrator does it for them.
    #[must_use]
    pub fn sign_out(self, now: Timestamp) -> Self {
        match self.state {
            FamilyState::Live => Self { state: FamilyState::SignedOut { at: now }, ..self },
            FamilyState::SignedOut { .. } | FamilyState::Reused { .. } => self,
        }
    }

    /// Whether `token` is of this family, current or old: who has it may revoke the session (RFC 7009).
    #[must_use]
    pub fn knows(&self, token: &RefreshToken) -> bool {
        same_digest(&Digest::of(token.family.expose_secret()), &self.family)
    }
}

/// The answer to a refresh that was refused, whatever the reason.
#[must_use]
pub fn refused() -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidGrant, "the refresh token is not accepted; sign in again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::context::Context;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const POLICY: SessionPolicy = SessionPolicy::DEFAULT;

    fn begin() -> (Context, RefreshToken, RefreshFamily) {
        let context = Context::system();
        let token = RefreshToken::first(context.id(), &context);
        let family = RefreshFamily::begin(&token, "cli", POLICY, START);
        (context, token, family)
    }

    #[test]
    fn an_old_token_ends_the_session_for_thief_and_owner() {
        let (context, first, family) = begin();
        let second = first.next(&context);
        let RefreshOutcome::Rotated(family) = family.present(&first, &second, "cli", POLICY, START) else { panic!() };
        let third = second.next(&context);
        let RefreshOutcome::Reused(family) = family.present(&first, &third, "cli", POLICY, START) else { panic!() };
        assert_eq!(family.state, FamilyState::Reused { at: START });
        assert_eq!(family.present(&second, &third, "cli", POLICY, START), RefreshOutcome::Refused);
    }

    #[test]
    fn a_guess_or_another_client_changes_nothing() {
        let (context, token, family) = begin();
        let next = token.next(&context);
        let guess = RefreshToken::first(token.session(), &context);
        assert_eq!(family.present(&guess, &next, "cli", POLICY, START), RefreshOutcome::Refused);
        assert_eq!(family.present(&token, &next, "other", POLICY, START), RefreshOutcome::Refused);
        assert!(!family.knows(&guess) && family.knows(&token) && family.knows(&next));
    }

    #[test]
    fn sessions_end_idle_at_last_and_by_sign_out() {
        let (context, token, family) = begin();
        let next = token.next(&context);
        let at = |seconds| family.present(&token, &next, "cli", POLICY, START.plus_seconds(seconds));
        assert!(matches!(at(POLICY.idle_seconds - 1), RefreshOutcome::Rotated(_)));
        assert_eq!(at(POLICY.idle_seconds), RefreshOutcome::Refused);
        let busy = RefreshFamily { idle_until: START.plus_seconds(POLICY.longest_seconds * 2), ..family.clone() };
        let late = START.plus_seconds(POLICY.longest_seconds);
        assert_eq!(busy.present(&token, &next, "cli", POLICY, late), RefreshOutcome::Refused);
        let out = family.clone().sign_out(START);
        assert_eq!(out.present(&token, &next, "cli", POLICY, START), RefreshOutcome::Refused);
        assert_eq!(out.clone().sign_out(late), out, "once");
    }

    proptest! {
        /// Whatever order tokens are presented in: only the newest works, any older one ends it all.
        #[test]
        fn only_the_newest_token_works(picks in proptest::collection::vec(any::<prop::sample::Index>(), 1..20)) {
            let (context, first, mut family) = begin();
            let mut tokens = vec![first];
            for pick in picks {
                let at = pick.index(tokens.len());
                let next = tokens[at].next(&context);
                match family.present(&tokens[at], &next, "cli", POLICY, START) {
                    RefreshOutcome::Rotated(rotated) => {
                        prop_assert_eq!(at, tokens.len() - 1);
                        prop_assert_eq!(rotated.generation, family.generation + 1);
                        family = rotated;
                        tokens.push(next);
                    }
                    RefreshOutcome::Reused(ended) => {
                        prop_assert!(at < tokens.len() - 1);
                        family = ended;
                    }
                    RefreshOutcome::Refused => prop_assert_ne!(family.state, FamilyState::Live),
                }
            }
        }
    }
}
