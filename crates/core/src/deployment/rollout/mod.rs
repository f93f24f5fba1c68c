//! The rollout of a job: a pure function from how job and tasks stand to what is to be done next.
//!
//! The shell calls it after every change, commits the effects as rows, performs them and calls it again,
//! until there is no effect left but a wake-up. Every effect may come twice, so each is applied only where
//! its task's state still allows it, and `PutBack` only where no task undoes that one yet. At most one batch
//! is ever in hand.

mod backward;
mod batches;
mod forward;

pub use self::batches::{BatchProgress, BatchStatus};
pub use super::job::CancelMode;
use super::{JobEnd, JobFailure, JobKind, JobStatus, Remains, TaskKind, TaskStatus};
use crate::{Timestamp, environment::Strategy, id::TaskId};

/// How often a task is offered before its target is given up.
pub const MAX_ATTEMPTS: u32 = 5;
/// How long a target that is to be put back is waited for while it cannot be reached.
pub const PUT_BACK_WAIT_SECONDS: i64 = 300;

/// How a job stands.
#[derive(Clone, Debug)]
pub struct JobView {
    /// What for.
    pub kind: JobKind,
    /// How it stands.
    pub status: JobStatus,
    /// How the targets are gone over.
    pub strategy: Strategy,
    /// What the person who stopped it wants.
    pub cancel: CancelMode,
    /// When it began.
    pub started_at: Timestamp,
    /// The current instant.
    pub now: Timestamp,
}

/// How one task stands. Tasks are given in the plan's order.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// Which.
    pub id: TaskId,
    /// Which way it goes.
    pub kind: TaskKind,
    /// The task that it puts back.
    pub undoes: Option<TaskId>,
    /// Its batch; of one that puts back, the batch of what it undoes.
    pub batch: u32,
    /// How it stands.
    pub status: TaskStatus,
    /// How often it was offered.
    pub attempt: u32,
    /// What it left behind, if it ended without success.
    pub remains: Option<Remains>,
    /// Whether its target can be reached.
    pub reach: Reach,
    /// Whether its agent was told to stop.
    pub stop: Stop,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl TaskView {
    /// Whether it failed without having been offered: its target was offline.
    const fn failed_offline(&self) -> bool {
        matches!(self.status, TaskStatus::Failed) && self.attempt == 0
    }

    /// Whether it is one of the failures that `maxFailures` is about.
    const fn counts_as_failure(&self) -> bool {
        matches!(self.status, TaskStatus::Failed | TaskStatus::Unknown) && !self.failed_offline()
    }
}

/// Whether a target can be worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Its agent is there.
    Online,
    /// Its agent is not there.
    Offline {
        /// Since when.
        since: Timestamp,
    },
    /// It is in maintenance.
    Maintenance,
    /// It was deleted.
    Gone,
}

/// Whether an agent was told to stop a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// No.
    NotAsked,
    /// Yes.
    Asked,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Offer the task to its target's agent.
    Offer(TaskId),
    /// Leave the task out.
    Skip {
        /// Which.
        task_id: TaskId,
        /// Why.
        cause: SkipCause,
    },
    /// The task failed without having been offered: its target cannot be reached.
    FailOffline(TaskId),
    /// The task's outcome cannot be told; its target is marked for observation.
    Lose(TaskId),
    /// The task is cancelled before it was offered.
    CancelPending(TaskId),
    /// Tell the agent to finish or undo the task within its grace.
    Stop(TaskId),
    /// Make a task that puts back what this one did.
    PutBack {
        /// Which.
        undoes: TaskId,
        /// The batch of the new task.
        batch: u32,
    },
    /// The task was put back: apply `TaskCommand::PutBack` and set `remains` to `restored`.
    MarkPutBack(TaskId),
    /// The job ends.
    Finish {
        /// How.
        end: JobEnd,
        /// Why it was not a success.
        failure: Option<JobFailure>,
    },
    /// Nothing more happens before this instant by itself: call again then.
    WakeAt(Timestamp),
}

/// Why a task is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SkipCause {
    /// Its target is in maintenance.
    Maintenance,
    /// Its target cannot be reached.
    Offline,
    /// Its target was deleted.
    Gone,
    /// The job ended before its turn.
    JobEnded,
}

impl SkipCause {
    /// As a task's error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Maintenance => "TARGET_IN_MAINTENANCE",
            Self::Offline => "TARGET_OFFLINE",
            Self::Gone => "TARGET_DELETED",
            Self::JobEnded => "JOB_ENDED",
        }
    }
}

/// What is to be done next.
#[must_use]
pub fn advance(job: &JobView, tasks: &[TaskView]) -> Vec<Effect> {
    let tally = Tally::of(job, tasks);
    match job.status {
        JobStatus::Queued
        | JobStatus::Paused
        | JobStatus::Succeeded
        | JobStatus::Failed
        | JobStatus::Cancelled
        | JobStatus::RolledBack => Vec::new(),
        JobStatus::Running if tally.goes_on => forward::step(job, &tally),
        JobStatus::Running | JobStatus::Cancelling => backward::step(job, &tally),
    }
}

/// The tasks by what they are.
struct Tally<'a> {
    forward: Vec<&'a TaskView>,
    back: Vec<&'a TaskView>,
    /// Tasks that failed in an agent's hands, or of which nobody can tell.
    failures: usize,
    /// Tasks that failed because their targets were offline: they stop nothing.
    offline: usize,
    succeeded: usize,
    /// Whether further targets may start.
    goes_on: bool,
}

impl<'a> Tally<'a> {
    fn of(job: &JobView, tasks: &'a [TaskView]) -> Self {
        let (forward, back): (Vec<_>, Vec<_>) = tasks.iter().partition(|task| match task.kind {
            TaskKind::Forward => true,
            TaskKind::Rollback => false,
        });
        let failures = forward.iter().filter(|task| task.counts_as_failure()).count();
        let offline = forward.iter().filter(|task| task.failed_offline()).count();
        let succeeded = forward.iter().filter(|task| task.status == TaskStatus::Succeeded).count();
        let all_ended = forward.iter().all(|task| task.status.is_ended());
        let too_many = failures > job.strategy.max_failures() as usize || (all_ended && succeeded == 0 && failures > 0);
        let goes_on = match job.kind {
            // Going back does not stop at a target that will not: the others are to be put back all the same.
            JobKind::Rollback => true,
            JobKind::Deploy | JobKind::Redeploy => back.is_empty() && !too_many,
        };
        Self { forward, back, failures, offline, succeeded, goes_on }
    }

    fn failure(&self, job: &JobView, what: &str) -> JobFailure {
        let failed = self.forward.iter().filter(|task| task.counts_as_failure() || task.failed_offline());
        let first = failed.min_by_key(|task| (task.failed_offline(), task.finished_at, task.id));
        let (failures, all) = (self.failures, self.forward.len());
        let message = match job.kind {
            JobKind::Rollback => format!("{} of {all} targets could not be put back{what}", failures + self.offline),
            JobKind::Deploy | JobKind::Redeploy => {
                format!(
                    "{failures} of {all} targets failed, more than the {} allowed{what}",
                    job.strategy.max_failures()
                )
            }
        };
        JobFailure { code: "TARGETS_FAILED".to_owned(), message, task_id: first.map(|task| task.id) }
    }
}

/// Keeps the earliest wake-up of several, as the last effect.
fn with_wake(mut effects: Vec<Effect>, wakes: impl IntoIterator<Item = Timestamp>) -> Vec<Effect> {
    effects.extend(wakes.into_iter().min().map(Effect::WakeAt));
    effects
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
