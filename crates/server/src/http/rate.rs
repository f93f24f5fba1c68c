//! Rate limits of this replica: one bucket a principal (or address) and class.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, HeaderName, HeaderValue};
use plimsoll_core::{
    Error, ErrorCode, Timestamp,
    rate::{Bucket, Quota, Verdict},
};
use plimsoll_protocol::operation::RateClass;
use uuid::Uuid;

/// Buckets kept before full ones are dropped.
const MOST: usize = 65_536;
const SHARDS: usize = 16;

/// Whose bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Payer {
    /// A caller with a token.
    Principal(Uuid, Class),
    /// A caller without.
    Address(String),
}

/// The classes that have buckets of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    Standard,
    Costly,
    Agent,
}

impl Class {
    pub(crate) const fn of(rate: RateClass) -> Self {
        match rate {
            RateClass::Standard => Self::Standard,
            RateClass::Costly => Self::Costly,
            RateClass::Agent => Self::Agent,
        }
    }

    /// What the class may spend of its tenant's tier.
    pub(crate) const fn quota(self, tier: Quota) -> Quota {
        match self {
            Self::Standard | Self::Agent => tier,
            Self::Costly => Quota { per_minute: tier.per_minute / 5, burst: tier.burst / 5 },
        }
    }
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Limiter {
    shards: Vec<Mutex<HashMap<Payer, Bucket>>>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Limiter {
    /// Takes one call from the payer's bucket.
    pub(crate) fn take(&self, payer: Payer, quota: Quota, now: Timestamp) -> Verdict {
        let shard = match &payer {
            Payer::Principal(id, _) => id.as_u128() as usize % SHARDS,
            Payer::Address(address) => {
                address.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte)) % SHARDS
            }
        };
        let mut buckets = self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MOST / SHARDS {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry(payer).or_default();
        let (next, verdict) = bucket.take(quota, now);
        *bucket = next;
        verdict
    }
}

/// The headers that every answer carries.
pub(crate) fn headers(verdict: &Verdict, quota: Quota, headers: &mut HeaderMap) {
    let full_at = (verdict.full_at.as_micros().max(0) as u64).div_ceil(1_000_000);
    for (name, value) in [
        ("x-ratelimit-limit", u64::from(quota.per_minute)),
        ("x-ratelimit-remaining", u64::from(verdict.remaining)),
        ("x-ratelimit-reset", full_at),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// 429 with the time to wait.
pub(crate) fn refusal(verdict: &Verdict) -> Error {
    Error::new(
        ErrorCode::RateLimited,
        format!("too many requests; wait {} s as Retry-After says", verdict.retry_after_seconds),
    )
    .details(serde_json::json!({ "retryAfterSeconds": verdict.retry_after_seconds }))
}
