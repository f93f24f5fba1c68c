//! Where time, randomness and identifiers come from. Everything else receives them as values;
//! clippy's `disallowed-methods` refuses the ambient ones elsewhere.

use std::{sync::Arc, time::Instant};

use uuid::Uuid;

use crate::{Timestamp, id::TypedId};

/// A source of time and randomness. The system's own in production, a manual one in tests.
pub trait Ambient: Send + Sync + 'static {
    /// The current instant.
    fn now(&self) -> Timestamp;
    /// Fills `out` with bytes fit for secrets.
    fn fill(&self, out: &mut [u8]);
    /// The monotonic clock: for how long something takes and by when it is given up, never for what is stored.
    fn instant(&self) -> Instant {
        Instant::now()
    }
}

/// A cheap handle on the [`Ambient`] in force.
#[derive(Clone)]
pub struct Context(Arc<dyn Ambient>);

impl Context {
    /// A context over `ambient`.
    pub fn new(ambient: impl Ambient) -> Self {
        Self(Arc::new(ambient))
    }

    /// The system's clock and random source.
    #[must_use]
    pub fn system() -> Self {
        Self::new(System)
    }

    /// The current instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// The monotonic clock, for lengths of time.
    #[must_use]
    pub fn instant(&self) -> Instant {
        self.0.instant()
    }

    /// `N` random bytes fit for secrets.
    #[must_use]
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.0.fill(&mut out);
        out
    }

    /// A fresh UUIDv7 (RFC 9562): 48 bits of milliseconds, the rest random.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_micros() / 1000).unwrap_or_default();
        uuid::Builder::from_unix_timestamp_millis(millis, &self.random::<10>()).into_uuid()
    }

    /// A fresh typed identifier.
    #[must_use]
    pub fn id<I: TypedId>(&self) -> I {
        I::from_uuid(self.uuid())
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Context")
    }
}

struct System;

impl Ambient for System {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_jiff(jiff::Timestamp::now())
    }

    fn fill(&self, out: &mut [u8]) {
        // The generator fails only if the kernel has no entropy source at all; nothing we run on lacks it,
        // and to go on with predictable secrets would be worse than to stop.
        if aws_lc_rs::rand::fill(out).is_err() {
            std::process::abort();
        }
    }
}
