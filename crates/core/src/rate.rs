//! Rate limiting as a pure function: the generic cell rate algorithm (GCRA, ITU-T I.371), a token
//! bucket that needs one number of state.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How much a principal may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Requests a minute in the long run.
    pub per_minute: u32,
    /// Requests at once.
    pub burst: u32,
}

/// A tenant's tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// 1000 requests a minute, 100 at once.
    Standard,
    /// 5000 requests a minute, 500 at once.
    Premium,
}

impl Tier {
    /// The contract's figures.
    #[must_use]
    pub const fn quota(self) -> Quota {
        match self {
            Self::Standard => Quota { per_minute: 1000, burst: 100 },
            Self::Premium => Quota { per_minute: 5000, burst: 500 },
        }
    }
}

/// The state of one bucket: the theoretical arrival time of the next request, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket(i64);

/// What was decided about one request, and what the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Whether it may pass.
    pub allowed: bool,
    /// How many more could be sent at once now.
    pub remaining: u32,
    /// When the bucket is full again.
    pub full_at: Timestamp,
    /// Seconds until one more would pass, at least 1 when refused.
    pub retry_after_seconds: u64,
}

impl Bucket {
    /// Decides about a request at `now`, and the bucket's next state.
    #[must_use]
    pub fn take(self, quota: Quota, now: Timestamp) -> (Self, Verdict) {
        let interval = Self::cost(quota);
        let capacity = interval * i64::from(quota.burst.max(1));
        let now_micros = now.as_micros();
        let arrival = self.0.max(now_micros);
        let next = arrival + interval;
        let allowed = next - now_micros <= capacity;
        let kept = if allowed { next } else { arrival };
        let free = (capacity - (kept - now_micros)).max(0) / interval;
        let wait = (arrival + interval - capacity - now_micros).max(0);
        let verdict = Verdict {
            allowed,
            remaining: u32::try_from(free).unwrap_or(u32::MAX),
            full_at: Timestamp::from_micros(kept),
            retry_after_seconds: if allowed { 0 } else { (wait as u64).div_ceil(1_000_000).max(1) },
        };
        (Self(kept), verdict)
    }

    /// The state in which the calls of the next `debt` microseconds are spent at `now`: what replicas tell each other.
    #[must_use]
    pub const fn in_debt(debt: i64, now: Timestamp) -> Self {
        Self(now.as_micros() + debt)
    }

    /// What one call of this quota costs, in microseconds.
    #[must_use]
    pub fn cost(quota: Quota) -> i64 {
        60_000_000 / i64::from(quota.per_minute.max(1))
    }

    /// Whether the bucket is full at `now`, so that its state need not be kept.
    #[must_use]
    pub const fn is_full(self, now: Timestamp) -> bool {
        self.0 <= now.as_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn the_hundred_and_first_immediate_call_is_refused() {
        let quota = Tier::Standard.quota();
        let mut bucket = Bucket::default();
        for call in 0..100_u32 {
            let (next, verdict) = bucket.take(quota, START);
            assert!(verdict.allowed, "call {call}");
            assert_eq!(verdict.remaining, 99 - call);
            bucket = next;
        }
        let (after, verdict) = bucket.take(quota, START);
        assert!(!verdict.allowed);
        assert_eq!((verdict.remaining, verdict.retry_after_seconds), (0, 1));
        assert!(after.take(quota, START.plus_seconds(1)).1.allowed);
    }

    proptest! {
        #[test]
        fn never_more_than_burst_plus_rate(gaps in proptest::collection::vec(0_i64..200_000, 1..400)) {
            let quota = Quota { per_minute: 1000, burst: 100 };
            let (mut bucket, mut now, mut allowed) = (Bucket::default(), START, 0_i64);
            for gap in gaps {
                now = Timestamp::from_micros(now.as_micros() + gap);
                let (next, verdict) = bucket.take(quota, now);
                bucket = next;
                allowed += i64::from(verdict.allowed);
            }
            let span = now.micros_since(START);
            prop_assert!(allowed <= 100 + span / 60_000 + 1);
        }
    }
}
