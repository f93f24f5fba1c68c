//! Where a rollout stands between its batches, for people who look on.

use serde::{Deserialize, Serialize};

use super::{JobView, Tally, TaskView, forward};
use crate::{Timestamp, deployment::TaskStatus, words::words};

/// The batch that a rollout is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchProgress {
    /// Which, from 0.
    pub batch: u32,
    /// How it stands.
    pub status: BatchStatus,
    /// When the pause before it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BatchStatus {
    /// The pause before it is not over.
    Waiting,
    /// Its first target was offered.
    Started,
    /// Nothing of it is in hand or waits any more.
    Ended,
}

words!(BatchStatus, "status of a batch", {
    Waiting = "waiting",
    Started = "started",
    Ended = "ended",
});

impl BatchProgress {
    /// The batch that the job is at; `None` before its first target was offered.
    #[must_use]
    pub fn of(job: &JobView, tasks: &[TaskView]) -> Option<Self> {
        let tally = Tally::of(job, tasks);
        let reached = tally.forward.iter().filter(|task| task.attempt > 0 || task.failed_offline());
        let batch = reached.map(|task| task.batch).max()?;
        let is_open =
            |task: &&&TaskView| task.status.is_in_hand() || (task.batch == batch && task.status == TaskStatus::Pending);
        if tally.forward.iter().any(|task| is_open(&task)) {
            return Some(Self { batch, status: BatchStatus::Started, until: None });
        }
        let next = tally.forward.iter().filter(|task| task.status == TaskStatus::Pending).map(|task| task.batch).min();
        let waits = next.filter(|_| tally.goes_on).map(|next| (next, forward::opening(job, &tally, next)));
        Some(match waits.filter(|(_, opens)| job.now < *opens) {
            Some((next, opens)) => Self { batch: next, status: BatchStatus::Waiting, until: Some(opens) },
            None => Self { batch, status: BatchStatus::Ended, until: None },
        })
    }

    /// What is to be told on the way from `before` to here: a batch that another one follows has ended.
    #[must_use]
    pub fn since(self, before: Option<Self>) -> Vec<Self> {
        // Between the end of a pause and the first offer nothing new is to be told.
        if before.is_some_and(|old| old == self || old.batch > self.batch) {
            return Vec::new();
        }
        let ended = before
            .filter(|old| old.status == BatchStatus::Started && old.batch != self.batch)
            .map(|old| Self { status: BatchStatus::Ended, ..old });
        ended.into_iter().chain([self]).collect()
    }
}
