//! A task in the agent's hand, from its journal to its acknowledged result.

use tokio::sync::{mpsc, watch};

use plimsoll_core::id::TargetId;
use plimsoll_protocol::agent::report::TaskResult;

use crate::task::{entry::StopReason, journal::FileJournal, machine::Machine, runner::Reoffer};

/// A task in hand.
pub struct Held {
    /// On which target.
    pub target: TargetId,
    /// Of which application.
    pub application: String,
    /// The epoch in force.
    pub epoch: u64,
    /// Where it is.
    pub stage: Stage,
    /// The wish to stop it.
    pub stop: watch::Sender<Option<StopReason>>,
    /// The same task offered again.
    pub offers: mpsc::Sender<Reoffer>,
}

/// Where a task in hand is.
pub enum Stage {
    /// It waits for its target.
    Queued(Box<Ready>),
    /// It runs.
    Running,
    /// It has a result that the server has not acknowledged.
    Ended(Box<TaskResult>),
}

/// Everything that a queued task needs to run.
pub struct Ready {
    /// The task.
    pub machine: Machine,
    /// Its journal.
    pub journal: FileJournal,
    /// The other end of [`Held::offers`].
    pub offers: mpsc::Receiver<Reoffer>,
}

impl Held {
    /// From a journal that was read.
    #[must_use]
    pub fn new(machine: Machine, journal: FileJournal) -> Self {
        const OFFERS: usize = 4;
        let (offers, received) = mpsc::channel(OFFERS);
        let order = machine.order();
        let (target, application, epoch) = (order.target.id, order.application.clone(), order.epoch);
        let stage = match machine.result() {
            Some(result) => Stage::Ended(Box::new(result.clone())),
            None => Stage::Queued(Box::new(Ready { machine, journal, offers: received })),
        };
        Self { target, application, epoch, stage, stop: watch::Sender::new(None), offers }
    }

    /// Whether it has no result yet.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        match self.stage {
            Stage::Queued(_) | Stage::Running => true,
            Stage::Ended(_) => false,
        }
    }

    /// Asks it to stop; the first reason stands.
    pub fn stop(&self, reason: StopReason) {
        self.stop.send_if_modified(|wish| {
            let first = wish.is_none();
            if first {
                *wish = Some(reason);
            }
            first
        });
    }
}
