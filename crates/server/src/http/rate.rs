//! Rate limits: one bucket a principal (or address) and class, in this replica's memory; `rate_exchange` tells the
//! other replicas what was spent.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    rate::{Bucket, Quota, Tier, Verdict},
};
use plimsoll_protocol::operation::RateClass;
use uuid::Uuid;

use super::pipeline::Peer;
use crate::state::Server;

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

impl Payer {
    /// The same in words that every replica uses.
    pub(crate) fn shared(&self) -> String {
        match self {
            Self::Principal(id, class) => format!("{id}/{class:?}"),
            Self::Address(address) => address.clone(),
        }
    }
}

/// A bucket, and what was allowed from it that the other replicas do not know yet.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    bucket: Bucket,
    untold: i64,
}

/// The buckets.
#[derive(Debug)]
pub(crate) struct Limiter {
    shards: Vec<Mutex<HashMap<Payer, Held>>>,
}

impl Default for Limiter {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }
}

impl Limiter {
    /// Takes one call from the payer's bucket.
    pub(crate) fn take(&self, payer: Payer, quota: Quota, now: Timestamp) -> Verdict {
        let mut buckets = self.shard(&payer);
        if buckets.len() >= MOST / SHARDS {
            buckets.retain(|_, held| !held.bucket.is_full(now) || held.untold > 0);
        }
        let held = buckets.entry(payer).or_default();
        let (next, verdict) = held.bucket.take(quota, now);
        held.bucket = next;
        if verdict.allowed {
            held.untold += Bucket::cost(quota);
        }
        verdict
    }

    /// What was allowed since the last call of this, to be told to the other replicas: the intervals' sums.
    pub(crate) fn untold(&self) -> Vec<(Payer, i64)> {
        let mut out = Vec::new();
        for shard in &self.shards {
            for (payer, held) in shard.lock().unwrap_or_else(PoisonError::into_inner).iter_mut() {
                if held.untold > 0 {
                    out.push((payer.clone(), std::mem::take(&mut held.untold)));
                }
            }
        }
        out
    }

    /// Takes over the debt of a bucket at all replicas together, and adds what was allowed here meanwhile.
    pub(crate) fn heard(&self, payer: &Payer, debt: i64, now: Timestamp) {
        if let Some(held) = self.shard(payer).get_mut(payer) {
            held.bucket = Bucket::in_debt(debt + held.untold, now);
        }
    }

    /// Nobody heard: it is told the next time.
    pub(crate) fn keep(&self, payer: &Payer, cost: i64) {
        if let Some(held) = self.shard(payer).get_mut(payer) {
            held.untold += cost;
        }
    }

    fn shard(&self, payer: &Payer) -> MutexGuard<'_, HashMap<Payer, Held>> {
        let shard = match payer {
            Payer::Principal(id, _) => id.as_u128() as usize % SHARDS,
            Payer::Address(address) => {
                address.bytes().fold(0_usize, |sum, byte| sum.wrapping_mul(31) + usize::from(byte)) % SHARDS
            }
        };
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
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

/// What an address may send without a token.
const ANONYMOUS: Quota = Tier::Standard.quota();

/// What was decided about a request by its address; kept in the request.
#[derive(Clone, Copy, Debug)]
struct Asked(Verdict);

/// Around routes that need no token: takes one call from the address's bucket. The route itself refuses, in its own
/// format, what [`admitted`] does not let pass.
pub(crate) async fn by_address(State(server): State<Arc<Server>>, mut request: Request, next: Next) -> Response {
    let verdict = take_by_address(&server, &request);
    request.extensions_mut().insert(Asked(verdict));
    let mut response = next.run(request).await;
    headers(&verdict, ANONYMOUS, response.headers_mut());
    response
}

/// Whether the address may ask this now; an error is 429.
pub(crate) fn admitted(request: &Request) -> Result<()> {
    match request.extensions().get::<Asked>() {
        Some(Asked(verdict)) if !verdict.allowed => Err(refusal(verdict)),
        _ => Ok(()),
    }
}

fn take_by_address(server: &Server, request: &Request) -> Verdict {
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.to_string());
    server.limiter.take(Payer::Address(address.unwrap_or_default()), ANONYMOUS, server.app.context.now())
}

/// 429 with the time to wait.
pub(crate) fn refusal(verdict: &Verdict) -> Error {
    Error::new(
        ErrorCode::RateLimited,
        format!("too many requests; wait {} s as Retry-After says", verdict.retry_after_seconds),
    )
    .details(serde_json::json!({ "retryAfterSeconds": verdict.retry_after_seconds }))
}
