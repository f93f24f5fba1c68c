//! Going over the targets, batch after batch.

use super::{Effect, JobView, MAX_ATTEMPTS, Reach, SkipCause, Tally, TaskView, with_wake};
use crate::{
    Timestamp,
    deployment::{JobEnd, JobFailure, JobKind, TaskStatus},
    environment::OfflineTargets,
};

pub(super) fn step(job: &JobView, tally: &Tally<'_>) -> Vec<Effect> {
    let unfinished = tally.forward.iter().filter(|task| !task.status.is_ended());
    let Some(batch) = unfinished.map(|task| task.batch).min() else { return vec![finish(job, tally)] };
    let opens_at = opening(job, tally, batch);
    if job.now < opens_at {
        return vec![Effect::WakeAt(opens_at)];
    }
    let mut effects = Vec::new();
    let mut wakes = Vec::new();
    for task in tally.forward.iter().filter(|task| task.batch == batch && task.status == TaskStatus::Pending) {
        match turn(job, task, opens_at) {
            Turn::Do(effect) => effects.push(effect),
            Turn::Wait(until) => wakes.push(until),
        }
    }
    with_wake(effects, wakes)
}

/// What becomes of a task whose turn has come.
enum Turn {
    Do(Effect),
    Wait(Timestamp),
}

fn turn(job: &JobView, task: &TaskView, opens_at: Timestamp) -> Turn {
    let skip = |cause| Turn::Do(Effect::Skip { task_id: task.id, cause });
    if task.attempt > 0 {
        // It was in an agent's hands: what it left behind is known only where it can be seen.
        return Turn::Do(match task.reach {
            Reach::Online if task.attempt < MAX_ATTEMPTS => Effect::Offer(task.id),
            Reach::Online | Reach::Offline { .. } | Reach::Maintenance | Reach::Gone => Effect::Lose(task.id),
        });
    }
    match (task.reach, job.strategy.offline_targets()) {
        (Reach::Online, _) => Turn::Do(Effect::Offer(task.id)),
        (Reach::Maintenance, _) => skip(SkipCause::Maintenance),
        (Reach::Gone, _) => skip(SkipCause::Gone),
        (Reach::Offline { .. }, OfflineTargets::Fail {}) => Turn::Do(Effect::FailOffline(task.id)),
        (Reach::Offline { .. }, OfflineTargets::Skip {}) => skip(SkipCause::Offline),
        (Reach::Offline { .. }, OfflineTargets::Wait { wait_seconds }) => {
            let until = opens_at.plus_seconds(i64::from(wait_seconds));
            if job.now < until { Turn::Wait(until) } else { skip(SkipCause::Offline) }
        }
    }
}

/// When the batch may begin: the pause after the last task of the batches before it.
pub(super) fn opening(job: &JobView, tally: &Tally<'_>, batch: u32) -> Timestamp {
    let before = tally.forward.iter().filter(|task| task.batch < batch && task.status != TaskStatus::Skipped);
    match before.filter_map(|task| task.finished_at).max() {
        None => job.started_at,
        Some(last) => last.plus_seconds(i64::from(job.strategy.pause_seconds())),
    }
}

/// Every target has had its turn.
fn finish(job: &JobView, tally: &Tally<'_>) -> Effect {
    let failed = |failure| Effect::Finish { end: JobEnd::Failed, failure: Some(failure) };
    let blocked_by_failures = match job.kind {
        JobKind::Rollback => tally.failures + tally.offline > 0,
        JobKind::Deploy | JobKind::Redeploy => false,
    };
    if blocked_by_failures {
        return failed(tally.failure(job, ""));
    }
    if tally.succeeded == 0 {
        return failed(JobFailure {
            code: "NO_TARGET_REACHED".to_owned(),
            message: "every target was skipped or offline, so nothing was done; see why in the tasks".to_owned(),
            task_id: None,
        });
    }
    if tally.offline > 0 {
        let message = format!(
            "{} of {} targets were offline and got nothing, the others run the release; start their agents and deploy again",
            tally.offline,
            tally.forward.len()
        );
        let first = tally.forward.iter().find(|task| task.failed_offline()).map(|task| task.id);
        return failed(JobFailure { code: "TARGETS_OFFLINE".to_owned(), message, task_id: first });
    }
    Effect::Finish { end: JobEnd::Succeeded, failure: None }
}
