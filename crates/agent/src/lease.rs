//! The agent's lease: one a connection, counted by the monotonic clock from when it was asked for.

use std::time::Duration;

use tokio::{sync::watch, time::Instant};

/// A handle on the lease; clones see the same one.
#[derive(Clone, Debug)]
pub struct Lease(watch::Sender<State>);

#[derive(Clone, Copy, Debug)]
enum State {
    /// None was had since the agent started; until then it is waited for.
    Awaited { until: Instant },
    /// Held until then, or lost since then.
    Held { until: Instant },
}

/// How the lease stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Steps may begin.
    Valid,
    /// The agent has just started and waits for its first.
    Awaited,
    /// It ran out.
    Lost,
}

impl Lease {
    /// Of an agent that has just started: it waits this long for its first lease before it takes a task in
    /// its journal for lost.
    #[must_use]
    pub fn awaited(patience: Duration) -> Self {
        Self(watch::Sender::new(State::Awaited { until: Instant::now() + patience }))
    }

    /// It was granted: it counts from when it was asked for. One that ends sooner than the present one (an
    /// answer that came late) changes nothing.
    pub fn granted(&self, asked_at: Instant, length: Duration) {
        let until = asked_at + length;
        self.0.send_if_modified(|state| match state {
            State::Held { until: present } if *present >= until => false,
            State::Held { .. } | State::Awaited { .. } => {
                *state = State::Held { until };
                true
            }
        });
    }

    /// How it stands now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        let now = Instant::now();
        match *self.0.borrow() {
            State::Held { until } if now < until => Standing::Valid,
            State::Awaited { until } if now < until => Standing::Awaited,
            State::Held { .. } | State::Awaited { .. } => Standing::Lost,
        }
    }

    /// Waits until steps may begin, or the lease is lost; says which.
    pub async fn settled(&self) -> Standing {
        let mut changes = self.0.subscribe();
        loop {
            let until = match *changes.borrow_and_update() {
                State::Awaited { until } => until,
                State::Held { .. } => return self.standing(),
            };
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until) => return self.standing(),
            }
        }
    }

    /// Waits until the lease is lost.
    pub async fn lost(&self) {
        let mut changes = self.0.subscribe();
        loop {
            let (State::Awaited { until } | State::Held { until }) = *changes.borrow_and_update();
            if Instant::now() >= until {
                return;
            }
            tokio::select! {
                _ = changes.changed() => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_counts_from_when_it_was_asked_for() {
        let lease = Lease::awaited(Duration::from_mins(1));
        assert_eq!(lease.standing(), Standing::Awaited);
        let asked = Instant::now();
        tokio::time::advance(Duration::from_secs(20)).await;
        lease.granted(asked, Duration::from_mins(1));
        assert_eq!(lease.settled().await, Standing::Valid);
        lease.lost().await;
        assert_eq!(asked.elapsed().as_secs(), 60);
        assert_eq!(lease.standing(), Standing::Lost);
        lease.granted(Instant::now(), Duration::from_mins(1));
        assert_eq!(lease.standing(), Standing::Valid);
    }

    #[tokio::test(start_paused = true)]
    async fn a_started_agent_does_not_wait_for_ever() {
        let lease = Lease::awaited(Duration::from_mins(1));
        assert_eq!(lease.settled().await, Standing::Lost);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_answer_does_not_shorten_it() {
        let lease = Lease::awaited(Duration::from_mins(1));
        let first = Instant::now();
        tokio::time::advance(Duration::from_secs(10)).await;
        lease.granted(Instant::now(), Duration::from_mins(1));
        lease.granted(first, Duration::from_mins(1));
        lease.lost().await;
        assert_eq!(first.elapsed().as_secs(), 70);
    }
}
