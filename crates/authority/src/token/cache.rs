//! Verified tokens by the SHA-256 of their text: one signature check costs more than the rest of a request.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache};
use plimsoll_core::{Digest, Timestamp};

use super::VerifiedToken;

/// How many verified tokens are kept.
pub const MAX_CACHED: u64 = 16_384;

/// A bounded cache of verified tokens, each until its `exp`. It says nothing about revocation.
#[derive(Debug)]
pub struct VerifiedTokenCache {
    entries: Cache<Digest, Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    token: Arc<VerifiedToken>,
    lives: Duration,
}

/// Frees memory at `exp` by the cache's own clock. What is accepted is decided by the caller's `now`.
struct UntilExpiry;

impl Expiry<Digest, Entry> for UntilExpiry {
    fn expire_after_create(&self, _key: &Digest, entry: &Entry, _at: Instant) -> Option<Duration> {
        Some(entry.lives)
    }
}

impl VerifiedTokenCache {
    /// Keeps at most `capacity` tokens; [`MAX_CACHED`] in production.
    #[must_use]
    pub fn new(capacity: u64) -> Self {
        Self { entries: Cache::builder().max_capacity(capacity).expire_after(UntilExpiry).build() }
    }

    /// The verified token whose text has this digest, unless it has expired at `now`.
    #[must_use]
    pub fn get(&self, text: &Digest, now: Timestamp) -> Option<Arc<VerifiedToken>> {
        let entry = self.entries.get(text)?;
        if now >= entry.token.expires_at {
            self.entries.invalidate(text);
            return None;
        }
        Some(entry.token)
    }

    /// Keeps a token that was verified at `now`.
    pub fn insert(&self, text: Digest, token: Arc<VerifiedToken>, now: Timestamp) {
        let micros = u64::try_from(token.expires_at.micros_since(now)).unwrap_or_default();
        self.entries.insert(text, Entry { token, lives: Duration::from_micros(micros) });
    }

    /// How many are kept now, about.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.entries.entry_count()
    }

    /// Whether none is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
