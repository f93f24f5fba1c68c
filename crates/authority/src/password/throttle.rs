//! How fast passwords may be tried, per account and per address, as a pure function.
//!
//! An attempt is counted before its password is checked and forgiven when it was right. So a thousand
//! attempts at once don't pass because none has failed yet.

use plimsoll_core::{Error, ErrorCode, Timestamp};
use serde::{Deserialize, Serialize};

/// How many attempts are free, and how long the next ones wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottleRule {
    /// Failures that cost no waiting.
    pub free_failures: u32,
    /// The longest wait in seconds; it doubles from one second with each failure.
    pub longest_wait_seconds: i64,
    /// After this many quiet seconds all is forgotten.
    pub forget_after_seconds: i64,
}

impl ThrottleRule {
    /// For one account. The wait stays short, so that nobody can lock somebody else out for long; it
    /// leaves an attacker 1 440 guesses a day.
    pub const ACCOUNT: Self = Self { free_failures: 5, longest_wait_seconds: 60, forget_after_seconds: 3600 };

    /// For one address, behind which a whole company may sit.
    pub const ADDRESS: Self = Self { free_failures: 50, longest_wait_seconds: 900, forget_after_seconds: 3600 };
}

/// What is remembered of an account or an address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    /// Attempts since the last success that were not forgiven.
    pub failures: u32,
    /// The last attempt that was let through.
    pub last_at: Option<Timestamp>,
}

/// What is decided about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Try the password; store this first. On success store [`Attempts::default`] for the account, and
    /// [`Attempts::forgiven`] for the address.
    Try(Attempts),
    /// Too soon.
    Wait {
        /// Seconds until the next attempt is let through.
        seconds: i64,
    },
}

impl Attempts {
    /// Decides about an attempt at `now`.
    #[must_use]
    pub fn admit(self, rule: ThrottleRule, now: Timestamp) -> Admission {
        // A clock that was set back must not keep anybody waiting for longer than the rule says.
        let quiet = self.last_at.map_or(i64::MAX, |last| now.seconds_since(last).max(0));
        if quiet >= rule.forget_after_seconds {
            return Admission::Try(Self { failures: 1, last_at: Some(now) });
        }
        let wait = self.wait(rule);
        if quiet < wait {
            return Admission::Wait { seconds: wait - quiet };
        }
        Admission::Try(Self { failures: self.failures.saturating_add(1), last_at: Some(now) })
    }

    /// Takes back one counted attempt that was right.
    #[must_use]
    pub const fn forgiven(self) -> Self {
        Self { failures: self.failures.saturating_sub(1), last_at: self.last_at }
    }

    fn wait(self, rule: ThrottleRule) -> i64 {
        match self.failures.checked_sub(rule.free_failures) {
            None => 0,
            Some(over) => 1_i64.checked_shl(over.min(40)).unwrap_or(i64::MAX).min(rule.longest_wait_seconds),
        }
    }
}

/// Decides by both account and address; the longer wait counts.
pub fn admit_sign_in(account: Attempts, address: Attempts, now: Timestamp) -> Result<(Attempts, Attempts), Error> {
    let decided = (account.admit(ThrottleRule::ACCOUNT, now), address.admit(ThrottleRule::ADDRESS, now));
    let seconds = match decided {
        (Admission::Try(account), Admission::Try(address)) => return Ok((account, address)),
        (Admission::Wait { seconds: one }, Admission::Wait { seconds: other }) => one.max(other),
        (Admission::Wait { seconds }, Admission::Try(_)) | (Admission::Try(_), Admission::Wait { seconds }) => seconds,
    };
    Err(Error::new(ErrorCode::RateLimited, format!("too many sign-ins have failed; try again in {seconds} seconds"))
        .details(serde_json::json!({ "retryAfterSeconds": seconds })))
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    /// Guesses as fast as it is let; gives the number of guesses within `seconds`.
    fn guesses(rule: ThrottleRule, seconds: i64) -> u32 {
        let (mut state, mut now, mut count) = (Attempts::default(), START, 0);
        while now < START.plus_seconds(seconds) {
            match state.admit(rule, now) {
                Admission::Try(next) => (state, count) = (next, count + 1),
                Admission::Wait { seconds } => now = now.plus_seconds(seconds),
            }
        }
        count
    }

    #[test]
    fn a_guesser_gets_few_tries_and_a_person_waits_little() {
        assert!(guesses(ThrottleRule::ACCOUNT, 86_400) <= 1_450, "{}", guesses(ThrottleRule::ACCOUNT, 86_400));
        assert!(guesses(ThrottleRule::ADDRESS, 86_400) <= 160, "{}", guesses(ThrottleRule::ADDRESS, 86_400));
        let mut state = Attempts::default();
        for _ in 0..5 {
            let Admission::Try(next) = state.admit(ThrottleRule::ACCOUNT, START) else { panic!("five are free") };
            state = next;
        }
        assert_eq!(state.admit(ThrottleRule::ACCOUNT, START), Admission::Wait { seconds: 1 });
    }

    #[test]
    fn waits_double_to_a_bound_are_forgotten_and_survive_clocks() {
        let many = |failures| Attempts { failures, last_at: Some(START) };
        let wait = |failures| match many(failures).admit(ThrottleRule::ACCOUNT, START) {
            Admission::Wait { seconds } => seconds,
            Admission::Try(_) => 0,
        };
        assert_eq!([4, 5, 6, 7, 10, 11, 1000, u32::MAX].map(wait), [0, 1, 2, 4, 32, 60, 60, 60]);
        let hour = START.plus_seconds(3600);
        let fresh = Admission::Try(Attempts { failures: 1, last_at: Some(hour) });
        assert_eq!(many(1000).admit(ThrottleRule::ACCOUNT, hour), fresh);
        let back = START.plus_seconds(-86_400);
        assert_eq!(many(1000).admit(ThrottleRule::ACCOUNT, back), Admission::Wait { seconds: 60 });
        assert_eq!(many(3).forgiven().failures, 2);
    }

    #[test]
    fn account_and_address_both_count() {
        let tired = |failures| Attempts { failures, last_at: Some(START) };
        assert!(admit_sign_in(tired(4), tired(49), START).is_ok());
        for (account, address) in [(tired(6), tired(0)), (tired(0), tired(60)), (tired(6), tired(60))] {
            let error = admit_sign_in(account, address, START).unwrap_err();
            assert_eq!(error.code(), ErrorCode::RateLimited);
            assert!(error.public_details().unwrap()["retryAfterSeconds"].as_i64() > Some(0));
        }
    }
}
