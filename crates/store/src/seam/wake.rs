//! Waking whoever waits for events or work. A wake-up only says that there is something: every waiter
//! reads its own table, and polls each second besides.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

/// The longest that a waiter sleeps without looking.
pub const POLL: Duration = Duration::from_secs(1);

/// Wakes the waiters of this process, and of other replicas where the database can carry it.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    waiters: Counter,
    commits: Counter,
}

#[derive(Clone, Debug)]
struct Counter(Arc<watch::Sender<u64>>);

impl Default for Counter {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Counter {
    fn count(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Wake {
    /// Wakes the waiters of this process.
    pub fn local(&self) {
        self.waiters.count();
    }

    /// Wakes everybody: there was a commit.
    pub(super) fn everybody(&self) {
        self.waiters.count();
        self.commits.count();
    }

    /// Tells of each [`Wake::everybody`] until the last one who could call it is gone.
    pub(super) fn committed(&self) -> Committed {
        Committed(self.commits.0.subscribe())
    }

    /// Wakes the waiters of this process, without being one who commits.
    pub(super) fn without_commits(&self) -> Self {
        Self { waiters: self.waiters.clone(), commits: Counter::default() }
    }

    /// Something to wait on.
    #[must_use]
    pub fn waiter(&self) -> Waiter {
        Waiter(self.waiters.0.subscribe())
    }
}

/// Commits of this process.
pub(super) struct Committed(watch::Receiver<u64>);

impl Committed {
    /// Waits for the next commit; several at once are one. `false` when none can come any more.
    pub(super) async fn next(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }

    /// Waits until no commit can come any more.
    pub(super) async fn over(&mut self) {
        while self.next().await {}
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
