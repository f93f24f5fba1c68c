//! Coming to an end otherwise: no further target starts, those in hand finish, then what was changed is put
//! back in reverse order, or left.

use super::{
    CancelMode, Effect, JobView, MAX_ATTEMPTS, PUT_BACK_WAIT_SECONDS, Reach, SkipCause, Stop, Tally, TaskView,
    with_wake,
};
use crate::{
    Timestamp,
    deployment::{JobEnd, JobFailure, JobKind, JobStatus, Remains, TaskStatus},
    environment::FailurePolicy,
};

pub(super) fn step(job: &JobView, tally: &Tally<'_>) -> Vec<Effect> {
    let mut effects = close(job, tally);
    if !effects.is_empty() || tally.forward.iter().any(|task| task.status.is_in_hand()) {
        return effects;
    }
    if tally.back.is_empty() && !puts_back(job) {
        effects.push(leave(job, tally));
        return effects;
    }
    let missing = changed(tally).filter(|task| !tally.back.iter().any(|back| back.undoes == Some(task.id)));
    let made: Vec<Effect> = missing.map(|task| Effect::PutBack { undoes: task.id, batch: task.batch }).collect();
    if !made.is_empty() {
        effects.extend(made);
        return effects;
    }
    effects.extend(settled(tally));
    if tally.back.iter().all(|task| task.status.is_ended()) {
        effects.push(finish(job, tally));
        return effects;
    }
    let (offers, wakes) = put_back(job, tally);
    effects.extend(offers);
    with_wake(effects, wakes)
}

/// Stops what has not started; a person who cancels also stops what is in hand.
fn close(job: &JobView, tally: &Tally<'_>) -> Vec<Effect> {
    let cancelling = job.status == JobStatus::Cancelling;
    let mut effects = Vec::new();
    for task in &tally.forward {
        match task.status {
            // Whoever had it in hand may have left something behind.
            TaskStatus::Pending if task.attempt > 0 => effects.push(Effect::Lose(task.id)),
            TaskStatus::Pending if cancelling => effects.push(Effect::CancelPending(task.id)),
            TaskStatus::Pending => effects.push(Effect::Skip { task_id: task.id, cause: SkipCause::JobEnded }),
            TaskStatus::Assigned | TaskStatus::Running | TaskStatus::Verifying => {
                if cancelling && task.stop == Stop::NotAsked {
                    effects.push(Effect::Stop(task.id));
                }
            }
            TaskStatus::Succeeded
            | TaskStatus::Failed
            | TaskStatus::RolledBack
            | TaskStatus::Skipped
            | TaskStatus::Cancelled
            | TaskStatus::Unknown => {}
        }
    }
    effects
}

/// Whether what was changed is to be put back. A rollback is never undone by itself.
fn puts_back(job: &JobView) -> bool {
    match (job.kind, job.status) {
        (JobKind::Rollback, _) => false,
        (JobKind::Deploy | JobKind::Redeploy, JobStatus::Cancelling) => job.cancel == CancelMode::Rollback,
        (JobKind::Deploy | JobKind::Redeploy, _) => match job.strategy.failure_policy() {
            FailurePolicy::Rollback => true,
            FailurePolicy::Stop => false,
        },
    }
}

fn leave(job: &JobView, tally: &Tally<'_>) -> Effect {
    if job.status == JobStatus::Cancelling {
        return Effect::Finish { end: JobEnd::Cancelled, failure: None };
    }
    Effect::Finish { end: JobEnd::Failed, failure: Some(tally.failure(job, "; every target was left as it is")) }
}

/// The forward tasks that changed their target, or may have, last of the plan first.
fn changed<'a>(tally: &'a Tally<'_>) -> impl Iterator<Item = &'a TaskView> {
    tally.forward.iter().rev().copied().filter(|task| match task.status {
        TaskStatus::Succeeded | TaskStatus::Unknown => true,
        TaskStatus::Failed | TaskStatus::Cancelled => task.attempt > 0 && task.remains != Some(Remains::Restored),
        TaskStatus::Pending
        | TaskStatus::Assigned
        | TaskStatus::Running
        | TaskStatus::Verifying
        | TaskStatus::RolledBack
        | TaskStatus::Skipped => false,
    })
}

/// Forward tasks whose undoing succeeded and that do not show it yet.
fn settled<'a>(tally: &'a Tally<'_>) -> impl Iterator<Item = Effect> + 'a {
    let undone = tally.back.iter().filter(|back| back.status == TaskStatus::Succeeded).filter_map(|back| back.undoes);
    undone
        .filter(|id| tally.forward.iter().any(|task| task.id == *id && !shows_put_back(task)))
        .map(Effect::MarkPutBack)
}

const fn shows_put_back(task: &TaskView) -> bool {
    matches!(task.status, TaskStatus::RolledBack) || matches!(task.remains, Some(Remains::Restored))
}

/// Offers one batch at a time, the last first. A target that cannot be reached does not hold up the others.
fn put_back(job: &JobView, tally: &Tally<'_>) -> (Vec<Effect>, Vec<Timestamp>) {
    let in_hand = tally.back.iter().find(|task| task.status.is_in_hand()).map(|task| task.batch);
    let reachable = |task: &&&TaskView| task.status == TaskStatus::Pending && can_be_reached(task.reach);
    let batch = in_hand.or_else(|| tally.back.iter().filter(reachable).map(|task| task.batch).max());
    let mut effects = Vec::new();
    let mut wakes = Vec::new();
    for task in tally.back.iter().filter(|task| task.status == TaskStatus::Pending) {
        match task.reach {
            Reach::Online | Reach::Maintenance if task.attempt >= MAX_ATTEMPTS => effects.push(Effect::Lose(task.id)),
            Reach::Online | Reach::Maintenance if Some(task.batch) == batch => effects.push(Effect::Offer(task.id)),
            Reach::Online | Reach::Maintenance => {}
            Reach::Gone => effects.push(Effect::Skip { task_id: task.id, cause: SkipCause::Gone }),
            Reach::Offline { since } => {
                let until = since.max(task.created_at).plus_seconds(PUT_BACK_WAIT_SECONDS);
                if job.now < until { wakes.push(until) } else { effects.push(Effect::Lose(task.id)) }
            }
        }
    }
    (effects, wakes)
}

/// Maintenance keeps releases away; it does not keep what we did from being put right.
const fn can_be_reached(reach: Reach) -> bool {
    match reach {
        Reach::Online | Reach::Maintenance => true,
        Reach::Offline { .. } | Reach::Gone => false,
    }
}

fn finish(job: &JobView, tally: &Tally<'_>) -> Effect {
    let cancelling = job.status == JobStatus::Cancelling;
    let good = |task: &&TaskView| matches!(task.status, TaskStatus::Succeeded | TaskStatus::Skipped);
    let failure = |what: &str| if cancelling { None } else { Some(tally.failure(job, what)) };
    if !tally.back.iter().all(good) {
        let stuck = tally.back.iter().find(|task| !good(task)).and_then(|task| task.undoes);
        let failure = JobFailure {
            code: "PUT_BACK_FAILED".to_owned(),
            message: "what was changed could not be put back on every target; drift shows what runs".to_owned(),
            task_id: stuck.or(tally.failure(job, "").task_id),
        };
        return Effect::Finish { end: JobEnd::Failed, failure: Some(failure) };
    }
    if cancelling && tally.back.is_empty() {
        return Effect::Finish { end: JobEnd::Cancelled, failure: None };
    }
    Effect::Finish { end: JobEnd::RolledBack, failure: failure("; what was changed was put back") }
}
