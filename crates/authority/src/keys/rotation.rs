//! When keys are published, sign, and go: one pure function over the states of all keys.
//!
//! A key is published before it signs, so that whoever caches the JWKS document knows it in time; it
//! stays published until the last token that it signed has expired.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    id::{KeyId, TypedId},
};
use serde::{Deserialize, Serialize};

/// Where a signing key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum KeyState {
    /// In the JWKS document, doesn't sign yet.
    Announced {
        /// Since when.
        since: Timestamp,
    },
    /// Signs. Exactly one key does.
    Active {
        /// Since when.
        since: Timestamp,
    },
    /// Doesn't sign any more; its tokens are still accepted.
    Retiring {
        /// When the last token that it signed has expired.
        until: Timestamp,
    },
    /// Out of the document; its tokens are refused.
    Retired {
        /// Since when.
        since: Timestamp,
    },
}

impl KeyState {
    /// As stored and printed.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Announced { .. } => "announced",
            Self::Active { .. } => "active",
            Self::Retiring { .. } => "retiring",
            Self::Retired { .. } => "retired",
        }
    }

    /// The state's one instant.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        match self {
            Self::Announced { since } | Self::Active { since } | Self::Retired { since } => since,
            Self::Retiring { until } => until,
        }
    }

    /// Whether the key is in the JWKS document and its tokens are accepted.
    #[must_use]
    pub const fn is_published(self) -> bool {
        match self {
            Self::Announced { .. } | Self::Active { .. } | Self::Retiring { .. } => true,
            Self::Retired { .. } => false,
        }
    }

    /// Whether the private half is still needed; the sealed bytes of any other key can be deleted.
    #[must_use]
    pub const fn needs_private(self) -> bool {
        match self {
            Self::Announced { .. } | Self::Active { .. } => true,
            Self::Retiring { .. } | Self::Retired { .. } => false,
        }
    }
}

/// How long the steps of a rotation take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotationPolicy {
    /// Seconds between publishing a key and signing with it: longer than the JWKS document may be cached.
    pub announce_seconds: i64,
    /// Seconds that a key's tokens are accepted after it stopped signing: the longest token's life, and
    /// the time in which every replica has noticed that another key signs.
    pub keep_seconds: i64,
}

impl RotationPolicy {
    /// For tokens that live at most `longest_token_seconds`, and a JWKS document cached for five minutes.
    #[must_use]
    pub const fn for_tokens_of(longest_token_seconds: i64) -> Self {
        Self { announce_seconds: 600, keep_seconds: longest_token_seconds.saturating_add(60) }
    }
}

/// What is asked of the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyCommand {
    /// Do what is due: at each start, and regularly.
    Settle,
    /// Begin a rotation: announce a new key.
    Rotate,
    /// The key is known to others: refuse its tokens at once, and sign with another.
    Withdraw(KeyId),
}

/// What is to be committed in one transaction, guarded by the states that were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Keys whose state changes.
    pub changes: Vec<(KeyId, KeyState)>,
    /// A key to be generated, with its first state.
    pub create: Option<KeyState>,
}

/// The next states of `keys`. After it exactly one key is active, counting the one to be created.
pub fn plan(keys: &[(KeyId, KeyState)], command: KeyCommand, policy: RotationPolicy, now: Timestamp) -> Result<Plan> {
    let mut next = keys.to_vec();
    if let KeyCommand::Withdraw(id) = command {
        withdraw(&mut next, id, now)?;
    }
    for (_, state) in &mut next {
        if let KeyState::Retiring { until } = *state
            && until <= now
        {
            *state = KeyState::Retired { since: now };
        }
    }
    promote(&mut next, policy, now);
    let mut create = None;
    if !next.iter().any(|(_, state)| matches!(state, KeyState::Active { .. })) {
        create = Some(KeyState::Active { since: now });
    } else if command == KeyCommand::Rotate {
        if let Some((id, state)) = announced(&next) {
            let ripe = state.at().plus_seconds(policy.announce_seconds);
            return Err(Error::new(
                ErrorCode::StateConflict,
                format!("a rotation is under way: key {id} signs from {ripe}; rotate again after that"),
            ));
        }
        create = Some(KeyState::Announced { since: now });
    }
    let changes = next.into_iter().zip(keys).filter(|(new, old)| new.1 != old.1).map(|(new, _)| new).collect();
    Ok(Plan { changes, create })
}

fn withdraw(keys: &mut [(KeyId, KeyState)], id: KeyId, now: Timestamp) -> Result<()> {
    let key = keys.iter_mut().find(|(other, _)| *other == id).ok_or_else(|| Error::not_found(id))?;
    if !key.1.is_published() {
        return Err(Error::state_conflict(KeyId::NOUN, key.1.as_str(), "withdraw", &[]));
    }
    key.1 = KeyState::Retired { since: now };
    Ok(())
}

/// The oldest announced key becomes active when it was published long enough, or when nothing else signs.
fn promote(keys: &mut [(KeyId, KeyState)], policy: RotationPolicy, now: Timestamp) {
    let signing = keys.iter().any(|(_, state)| matches!(state, KeyState::Active { .. }));
    let Some((candidate, state)) = announced(keys) else { return };
    if signing && state.at().plus_seconds(policy.announce_seconds) > now {
        return;
    }
    for (id, state) in keys.iter_mut() {
        if *id == candidate {
            *state = KeyState::Active { since: now };
        } else if matches!(state, KeyState::Active { .. }) {
            *state = KeyState::Retiring { until: now.plus_seconds(policy.keep_seconds) };
        }
    }
}

fn announced(keys: &[(KeyId, KeyState)]) -> Option<(KeyId, KeyState)> {
    keys.iter().copied().filter(|(_, state)| matches!(state, KeyState::Announced { .. })).min_by_key(|(_, s)| s.at())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const POLICY: RotationPolicy = RotationPolicy { announce_seconds: 600, keep_seconds: 660 };
    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// Applies plans as a store would.
    struct Keys {
        rows: Vec<(KeyId, KeyState)>,
    }

    impl Keys {
        fn apply(&mut self, command: KeyCommand, now: Timestamp) -> Result<Plan> {
            let plan = plan(&self.rows, command, POLICY, now)?;
            for (id, state) in &plan.changes {
                self.rows.iter_mut().find(|row| row.0 == *id).unwrap().1 = *state;
            }
            if let Some(state) = plan.create {
                let id = KeyId::from_uuid(Uuid::from_u128(self.rows.len() as u128 + 1));
                self.rows.push((id, state));
            }
            Ok(plan)
        }

        fn active(&self) -> Vec<KeyId> {
            self.rows.iter().filter(|row| matches!(row.1, KeyState::Active { .. })).map(|row| row.0).collect()
        }
    }

    #[test]
    fn a_rotation_announces_then_signs_then_forgets() {
        let mut keys = Keys { rows: Vec::new() };
        keys.apply(KeyCommand::Settle, START).unwrap();
        let first = keys.active()[0];

        keys.apply(KeyCommand::Rotate, START).unwrap();
        assert_eq!(keys.active(), [first], "the new key is published, the old one signs");
        assert!(keys.rows.iter().all(|row| row.1.is_published()));
        assert_eq!(keys.apply(KeyCommand::Rotate, START).unwrap_err().code(), ErrorCode::StateConflict);

        assert_eq!(keys.apply(KeyCommand::Settle, START.plus_seconds(599)).unwrap(), Plan::default());
        let switch = START.plus_seconds(600);
        keys.apply(KeyCommand::Settle, switch).unwrap();
        assert_ne!(keys.active(), [first]);
        assert_eq!(keys.rows[0].1, KeyState::Retiring { until: switch.plus_seconds(660) });

        assert_eq!(keys.apply(KeyCommand::Settle, switch.plus_seconds(659)).unwrap(), Plan::default());
        keys.apply(KeyCommand::Settle, switch.plus_seconds(660)).unwrap();
        assert!(!keys.rows[0].1.is_published());
    }

    #[test]
    fn a_withdrawn_key_is_replaced_at_once() {
        let mut keys = Keys { rows: Vec::new() };
        keys.apply(KeyCommand::Settle, START).unwrap();
        let leaked = keys.active()[0];
        keys.apply(KeyCommand::Withdraw(leaked), START).unwrap();
        assert_eq!(keys.rows[0].1, KeyState::Retired { since: START });
        assert_eq!(keys.active().len(), 1);
        assert!(keys.apply(KeyCommand::Withdraw(leaked), START).is_err());
        assert!(keys.apply(KeyCommand::Withdraw(KeyId::from_uuid(Uuid::from_u128(99))), START).is_err());
    }

    fn command() -> impl Strategy<Value = (u8, i64)> {
        (0_u8..4, 0_i64..900)
    }

    proptest! {
        /// Whatever is asked and whenever: one key signs, and without a withdrawal no key signs before it
        /// was announced long enough, nor goes before its tokens have expired.
        #[test]
        fn one_key_always_signs(commands in proptest::collection::vec(command(), 1..40)) {
            let mut keys = Keys { rows: Vec::new() };
            let mut now = START;
            keys.apply(KeyCommand::Settle, now).unwrap();
            for (which, gap) in commands {
                now = now.plus_seconds(gap);
                let before = keys.rows.clone();
                let command = match which {
                    0 => KeyCommand::Rotate,
                    1 => KeyCommand::Withdraw(keys.active()[0]),
                    _ => KeyCommand::Settle,
                };
                let _ = keys.apply(command, now);
                prop_assert_eq!(keys.active().len(), 1);
                if which != 1 {
                    for (old, new) in before.iter().zip(&keys.rows) {
                        match (old.1, new.1) {
                            (KeyState::Announced { since }, KeyState::Active { .. }) =>
                                prop_assert!(now >= since.plus_seconds(POLICY.announce_seconds)),
                            (KeyState::Active { .. }, KeyState::Retiring { until }) =>
                                prop_assert_eq!(until, now.plus_seconds(POLICY.keep_seconds)),
                            (KeyState::Retiring { until }, KeyState::Retired { .. }) => prop_assert!(until <= now),
                            (same, other) => prop_assert_eq!(same, other),
                        }
                    }
                }
            }
        }
    }
}
