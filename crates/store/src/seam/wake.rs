//! Waking whoever waits for events or work. A wake-up only says that there is something: every waiter
//! reads its own table, and polls each second besides.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// The longest that a waiter sleeps without looking.
pub const POLL: Duration = Duration::from_secs(1);

/// Wakes the waiters of this process, and of other replicas where the database can carry it.
#[derive(Clone, Debug)]
pub struct Wake(Arc<watch::Sender<u64>>);

impl Default for Wake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Wake {
    /// Wakes the waiters of this process.
    pub fn local(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Something to wait on.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter(self.0.subscribe())
    }
}

/// Waits for wake-ups; one that came between two waits is not lost.
#[derive(Debug)]
pub struct Waiter(watch::Receiver<u64>);

impl Waiter {
    /// Returns at the next wake-up, or after `longest`.
    pub async fn wait(&mut self, longest: Duration) {
        // Whether woken, timed out, or the sender gone: the waiter looks.
        drop(tokio::time::timeout(longest, self.0.changed()).await);
    }

    /// Returns at the next wake-up, or after [`POLL`].
    pub async fn wait_or_poll(&mut self) {
        self.wait(POLL).await;
    }
}
