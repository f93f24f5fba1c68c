//! The join sequence: how a copied agent is found.
//!
//! An agent counts its token requests. Before it sends one it writes the new number and a fresh `jti` to
//! disk; until it has the answer it repeats the same pair. So one identity gives each number once. Where two
//! hosts have the same identity, both come to the same number with different `jti`, or one lags behind: then
//! both are locked, and an operator says which one to keep.

use plimsoll_core::{Error, ErrorCode, Result, Timestamp, inventory::AgentCopy};
use serde::{Deserialize, Serialize};

use super::OAuthError;

/// The number and id of one token request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    /// Counts from 1.
    pub seq: u64,
    /// The assertion's id.
    pub jti: String,
}

/// What is remembered of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum JoinState {
    /// It enrolled and has asked for nothing yet.
    Enrolled,
    /// It joined.
    Joined {
        /// The last request.
        last: Join,
        /// The `jti` of the one before: a copy of that request may still be under way in the network.
        previous_jti: Option<String>,
        /// From where it was sent, for whoever must tell two copies apart.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Two hosts have its identity. Neither gets tokens.
    Locked {
        /// Since when.
        since: Timestamp,
        /// The host that was ahead.
        ahead: Join,
        /// The host that gave itself away.
        behind: Join,
        /// From where the one ahead asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead_address: Option<String>,
        /// From where the one that gave itself away asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        behind_address: Option<String>,
    },
}

/// What is decided about one token request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JoinVerdict {
    /// Store this, then issue a token.
    Accepted(JoinState),
    /// The last request again, its answer was lost: issue a token; nothing changes.
    Retry,
    /// The request before the last, late: refuse it; nothing changes.
    Outdated,
    /// A number was left out. The server was restored from an older backup, or the agent's disk wrote more
    /// than it sent: refuse it and say the number expected; nothing changes.
    Ahead {
        /// What the server expects.
        expected: u64,
    },
    /// Two hosts have this identity. Store this, end the agent's streams and tokens, raise the alarm.
    Cloned(JoinState),
    /// It is locked already.
    Locked,
}

/// Decides about `join`, which came from `address`.
#[must_use]
pub fn judge(state: &JoinState, join: Join, address: Option<&str>, now: Timestamp) -> JoinVerdict {
    let address = || address.map(ToOwned::to_owned);
    match state {
        JoinState::Locked { .. } => JoinVerdict::Locked,
        JoinState::Enrolled if join.seq == 1 => {
            JoinVerdict::Accepted(JoinState::Joined { last: join, previous_jti: None, address: address() })
        }
        JoinState::Enrolled => JoinVerdict::Ahead { expected: 1 },
        JoinState::Joined { last, previous_jti, address: ahead_address } => {
            let expected = last.seq.saturating_add(1);
            if join == *last {
                JoinVerdict::Retry
            } else if join.seq == expected {
                let previous_jti = Some(last.jti.clone());
                JoinVerdict::Accepted(JoinState::Joined { last: join, previous_jti, address: address() })
            } else if join.seq > expected {
                JoinVerdict::Ahead { expected }
            } else if join.seq.checked_add(1) == Some(last.seq) && previous_jti.as_ref() == Some(&join.jti) {
                // A copied host that repeats this gets nothing either; its next number gives it away.
                JoinVerdict::Outdated
            } else {
                JoinVerdict::Cloned(JoinState::Locked {
                    since: now,
                    ahead: last.clone(),
                    behind: join,
                    ahead_address: ahead_address.clone(),
                    behind_address: address(),
                })
            }
        }
    }
}

/// An operator unlocks an agent and says which host to keep. The other one locks it again if it still runs.
pub fn unlock(state: JoinState, keep: AgentCopy) -> Result<JoinState> {
    match state {
        JoinState::Locked { since: _, ahead, behind, ahead_address, behind_address } => {
            let (last, address) = match keep {
                AgentCopy::Ahead => (ahead, ahead_address),
                AgentCopy::Behind => (behind, behind_address),
            };
            Ok(JoinState::Joined { last, previous_jti: None, address })
        }
        JoinState::Enrolled | JoinState::Joined { .. } => {
            Err(Error::new(ErrorCode::StateConflict, "the agent is not locked; there is nothing to unlock"))
        }
    }
}

impl JoinVerdict {
    /// The error to answer, if it is one.
    #[must_use]
    pub fn refusal(&self) -> Option<OAuthError> {
        let (code, text) = match self {
            Self::Accepted(_) | Self::Retry => return None,
            Self::Outdated => (
                ErrorCode::JoinAnswered,
                "this join was answered already; go on with the next sequence number".to_owned(),
            ),
            Self::Ahead { expected } => (
                ErrorCode::StateConflict,
                format!("the join sequence must be {expected}; remove the agent and enrol the host anew"),
            ),
            Self::Cloned(_) | Self::Locked => (
                ErrorCode::AgentLocked,
                "two hosts use this agent's identity; it is locked until an operator says which one to keep".to_owned(),
            ),
        };
        // A conflict is `invalid_grant` in OAuth's words.
        Some(Error::new(code, text).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Option<&str> = Some("192.0.2.1");
    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    fn join(seq: u64, jti: &str) -> Join {
        Join { seq, jti: jti.to_owned() }
    }

    fn joined(seq: u64, jti: &str, previous: Option<&str>) -> JoinState {
        JoinState::Joined {
            last: join(seq, jti),
            previous_jti: previous.map(ToOwned::to_owned),
            address: HERE.map(Into::into),
        }
    }

    #[test]
    fn the_table() {
        let at_5 = joined(5, "e", Some("d"));
        let locked = |behind| JoinState::Locked {
            since: NOW,
            ahead: join(5, "e"),
            behind,
            ahead_address: HERE.map(Into::into),
            behind_address: HERE.map(Into::into),
        };
        let cases = [
            (JoinState::Enrolled, join(1, "a"), JoinVerdict::Accepted(joined(1, "a", None))),
            (JoinState::Enrolled, join(2, "a"), JoinVerdict::Ahead { expected: 1 }),
            (at_5.clone(), join(6, "f"), JoinVerdict::Accepted(joined(6, "f", Some("e")))),
            (at_5.clone(), join(5, "e"), JoinVerdict::Retry),
            (at_5.clone(), join(4, "d"), JoinVerdict::Outdated),
            (at_5.clone(), join(7, "g"), JoinVerdict::Ahead { expected: 6 }),
            (at_5.clone(), join(5, "x"), JoinVerdict::Cloned(locked(join(5, "x")))),
            (at_5.clone(), join(4, "x"), JoinVerdict::Cloned(locked(join(4, "x")))),
            (at_5.clone(), join(3, "d"), JoinVerdict::Cloned(locked(join(3, "d")))),
            (locked(join(4, "x")), join(6, "f"), JoinVerdict::Locked),
            (joined(u64::MAX, "z", None), join(u64::MAX, "z"), JoinVerdict::Retry),
        ];
        for (state, presented, expected) in cases {
            let verdict = judge(&state, presented.clone(), HERE, NOW);
            let good = matches!(verdict, JoinVerdict::Accepted(_) | JoinVerdict::Retry);
            assert_eq!(verdict.refusal().is_none(), good);
            assert_eq!(verdict, expected, "{state:?} {presented:?}");
        }
    }

    #[test]
    fn either_copy_can_be_kept_and_the_other_locks_again() {
        let JoinVerdict::Cloned(locked) = judge(&joined(5, "e", None), join(4, "x"), HERE, NOW) else { panic!() };
        let ahead = unlock(locked.clone(), AgentCopy::Ahead).unwrap();
        assert!(judge(&ahead, join(6, "f"), HERE, NOW).refusal().is_none());
        assert!(matches!(judge(&ahead, join(4, "x"), HERE, NOW), JoinVerdict::Cloned(_)));
        let behind = unlock(locked, AgentCopy::Behind).unwrap();
        assert_eq!(judge(&behind, join(4, "x"), HERE, NOW), JoinVerdict::Retry, "it still repeats what was refused");
        assert_eq!(unlock(behind, AgentCopy::Ahead).unwrap_err().code(), ErrorCode::StateConflict);
    }

    /// A host with a copy of the agent's disk.
    #[derive(Clone)]
    struct Host {
        name: usize,
        seq: u64,
        pending: Option<Join>,
    }

    impl Host {
        fn request(&mut self) -> Join {
            let (seq, name) = (self.seq + 1, self.name);
            self.pending.get_or_insert_with(|| join(seq, &format!("{name}-{seq}"))).clone()
        }

        fn answered(&mut self) {
            if let Some(done) = self.pending.take() {
                self.seq = done.seq;
            }
        }
    }

    proptest! {
        /// One host is never locked, however many answers are lost.
        #[test]
        fn one_host_is_never_locked(lost in proptest::collection::vec(any::<bool>(), 1..60)) {
            let (mut state, mut host) = (JoinState::Enrolled, Host { name: 0, seq: 0, pending: None });
            for lost in lost {
                match judge(&state, host.request(), HERE, NOW) {
                    JoinVerdict::Accepted(next) => state = next,
                    JoinVerdict::Retry => {}
                    other => prop_assert!(false, "{:?}", other),
                }
                if !lost {
                    host.answered();
                }
            }
        }

        /// Two hosts that both go on are found at the latest when each has asked once more.
        #[test]
        fn two_hosts_are_found(before in 1_u64..10, order in proptest::collection::vec(0_usize..2, 2..30)) {
            prop_assume!(order.contains(&0) && order.contains(&1));
            let mut state = JoinState::Enrolled;
            let mut one = Host { name: 0, seq: 0, pending: None };
            for _ in 0..before {
                let JoinVerdict::Accepted(next) = judge(&state, one.request(), HERE, NOW) else { panic!("one host") };
                state = next;
                one.answered();
            }
            let mut hosts = [one.clone(), Host { name: 1, ..one }];
            let mut found = false;
            for host in order {
                match judge(&state, hosts[host].request(), HERE, NOW) {
                    JoinVerdict::Accepted(next) => {
                        state = next;
                        hosts[host].answered();
                    }
                    JoinVerdict::Cloned(next) => {
                        state = next;
                        found = true;
                    }
                    other => prop_assert!(matches!(other, JoinVerdict::Locked | JoinVerdict::Retry), "{:?}", other),
                }
            }
            prop_assert!(found);
        }
    }
}
