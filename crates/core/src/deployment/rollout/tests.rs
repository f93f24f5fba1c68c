//! Rollouts step by step: what is offered, when, and how it ends.

use super::*;
use crate::deployment::testing::id;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(1_000_000 + seconds)
}

fn job(strategy: &str) -> JobView {
    JobView {
        kind: JobKind::Deploy,
        status: JobStatus::Running,
        strategy: serde_json::from_str(strategy).unwrap(),
        cancel: CancelMode::Keep,
        started_at: at(0),
        now: at(100),
    }
}

fn rolling() -> JobView {
    job(r#"{"type":"rolling","batchSize":2}"#)
}

fn task(number: u128, batch: u32, status: TaskStatus) -> TaskView {
    let ended = status.is_ended();
    TaskView {
        id: id(number),
        kind: TaskKind::Forward,
        undoes: None,
        batch,
        status,
        attempt: u32::from(!matches!(status, TaskStatus::Pending | TaskStatus::Skipped)),
        remains: None,
        reach: Reach::Online,
        stop: Stop::NotAsked,
        created_at: at(0),
        finished_at: ended.then(|| at(50)),
    }
}

/// Tasks in batches of two with these statuses.
fn tasks(statuses: &[TaskStatus]) -> Vec<TaskView> {
    statuses.iter().enumerate().map(|(index, status)| task(index as u128, index as u32 / 2, *status)).collect()
}

fn back(number: u128, undoes: &TaskView, status: TaskStatus) -> TaskView {
    TaskView { kind: TaskKind::Rollback, undoes: Some(undoes.id), ..task(number, undoes.batch, status) }
}

fn offers(effects: &[Effect]) -> Vec<TaskId> {
    effects.iter().filter_map(|one| if let Effect::Offer(id) = one { Some(*id) } else { None }).collect()
}

fn end(effects: &[Effect]) -> Option<(JobEnd, String)> {
    effects.iter().find_map(|one| match one {
        Effect::Finish { end, failure } => {
            Some((*end, failure.as_ref().map(|one| one.code.clone()).unwrap_or_default()))
        }
        Effect::Offer(_)
        | Effect::Skip { .. }
        | Effect::FailOffline(_)
        | Effect::Lose(_)
        | Effect::CancelPending(_)
        | Effect::Stop(_)
        | Effect::PutBack { .. }
        | Effect::MarkPutBack(_)
        | Effect::WakeAt(_) => None,
    })
}

use TaskStatus::{Assigned, Cancelled, Failed, Pending, RolledBack, Running, Skipped, Succeeded, Unknown, Verifying};

#[test]
fn a_batch_is_offered_when_the_one_before_is_done() {
    let first = tasks(&[Pending, Pending, Pending]);
    assert_eq!(offers(&advance(&rolling(), &first)), [id(0), id(1)]);
    for busy in [Assigned, Running, Verifying] {
        assert!(advance(&rolling(), &tasks(&[Succeeded, busy, Pending])).is_empty(), "{busy}");
    }
    assert_eq!(offers(&advance(&rolling(), &tasks(&[Succeeded, Skipped, Pending]))), [id(2)]);
    assert_eq!(
        end(&advance(&rolling(), &tasks(&[Succeeded, Succeeded, Succeeded]))),
        Some((JobEnd::Succeeded, String::new()))
    );
}

#[test]
fn there_is_a_pause_between_batches() {
    let paused = JobView { now: at(79), ..job(r#"{"type":"rolling","batchSize":2,"pauseSeconds":30}"#) };
    let some = tasks(&[Succeeded, Succeeded, Pending]);
    assert_eq!(advance(&paused, &some), [Effect::WakeAt(at(80))]);
    assert_eq!(offers(&advance(&JobView { now: at(80), ..paused.clone() }, &some)), [id(2)]);
    let skipped = tasks(&[Skipped, Skipped, Pending]);
    assert_eq!(offers(&advance(&paused, &skipped)), [id(2)], "nothing was done, so nothing is waited for");
}

#[test]
fn batches_are_told_of_once_each() {
    let paused = job(r#"{"type":"rolling","batchSize":2,"pauseSeconds":60}"#);
    let at_batch = |batch, status| BatchProgress { batch, status, until: None };
    let of = |statuses: &[TaskStatus]| BatchProgress::of(&paused, &tasks(statuses));
    assert_eq!(of(&[Pending, Pending, Pending]), None);
    let first = of(&[Running, Pending, Pending]);
    assert_eq!(first, Some(at_batch(0, BatchStatus::Started)));
    assert_eq!(of(&[Succeeded, Running, Pending]).unwrap().since(first), []);
    let waits = of(&[Succeeded, Succeeded, Pending]).unwrap();
    assert_eq!(waits, BatchProgress { until: Some(at(110)), ..at_batch(1, BatchStatus::Waiting) });
    assert_eq!(waits.since(first), [at_batch(0, BatchStatus::Ended), waits]);
    let over = JobView { now: at(200), ..paused.clone() };
    let opens = BatchProgress::of(&over, &tasks(&[Succeeded, Succeeded, Pending])).unwrap();
    assert_eq!(opens.since(Some(waits)), [], "the pause is over, and nothing has begun");
    let second = of(&[Succeeded, Succeeded, Running]).unwrap();
    assert_eq!(second.since(Some(waits)), [at_batch(1, BatchStatus::Started)]);
    assert_eq!(second.since(first), [at_batch(0, BatchStatus::Ended), second], "without a pause");
    let done = of(&[Succeeded, Succeeded, Succeeded]).unwrap();
    assert_eq!(done.since(Some(second)), [at_batch(1, BatchStatus::Ended)]);
    assert_eq!(of(&[Succeeded, Failed, Skipped]), Some(at_batch(0, BatchStatus::Ended)), "the others never began");
}

#[test]
fn at_more_failures_nothing_further_starts_and_all_is_put_back_in_reverse() {
    let mut some = tasks(&[Succeeded, Succeeded, Failed, Running, Pending]);
    assert_eq!(advance(&rolling(), &some), [Effect::Skip { task_id: id(4), cause: SkipCause::JobEnded }]);
    some[4].status = Skipped;
    assert!(advance(&rolling(), &some).is_empty(), "the one in hand finishes");
    some[3].status = Succeeded;
    let put: Vec<Effect> =
        [(3, 1), (2, 1), (1, 0), (0, 0)].map(|(number, batch)| Effect::PutBack { undoes: id(number), batch }).into();
    assert_eq!(advance(&rolling(), &some), put);
    some[2].remains = Some(Remains::Restored);
    let put: Vec<Effect> =
        [(3, 1), (1, 0), (0, 0)].map(|(number, batch)| Effect::PutBack { undoes: id(number), batch }).into();
    assert_eq!(advance(&rolling(), &some), put, "its agent has put it back already");
    let undo: Vec<TaskView> = [(13, 3), (11, 1), (10, 0)].map(|(number, of)| back(number, &some[of], Pending)).into();
    some.extend(undo);
    assert_eq!(offers(&advance(&rolling(), &some)), [id(13)], "the last batch first");
    some[5].status = Succeeded;
    assert_eq!(advance(&rolling(), &some), [Effect::MarkPutBack(id(3)), Effect::Offer(id(11)), Effect::Offer(id(10))]);
    some[3].status = RolledBack;
    some[6].status = Succeeded;
    some[7].status = Succeeded;
    assert_eq!(end(&advance(&rolling(), &some)), Some((JobEnd::RolledBack, "TARGETS_FAILED".to_owned())));
    some[7].status = Failed;
    assert_eq!(end(&advance(&rolling(), &some)), Some((JobEnd::Failed, "PUT_BACK_FAILED".to_owned())));
}

#[test]
fn so_many_failures_are_borne() {
    let one = job(r#"{"type":"rolling","batchSize":2,"maxFailures":1}"#);
    assert_eq!(offers(&advance(&one, &tasks(&[Succeeded, Failed, Pending]))), [id(2)]);
    assert_eq!(end(&advance(&one, &tasks(&[Succeeded, Failed, Succeeded]))).unwrap().0, JobEnd::Succeeded);
    assert!(
        offers(&advance(&one, &tasks(&[Unknown, Failed, Pending]))).is_empty(),
        "what can't be told counts as failed"
    );
    let all = job(r#"{"type":"all_at_once","maxFailures":9}"#);
    assert!(
        matches!(advance(&all, &tasks(&[Failed, Failed]))[0], Effect::PutBack { .. }),
        "none succeeded: that is no success"
    );
}

#[test]
fn stop_leaves_everything_as_it_is() {
    let stop = job(r#"{"type":"rolling","batchSize":2,"failurePolicy":"stop"}"#);
    assert_eq!(end(&advance(&stop, &tasks(&[Succeeded, Failed]))), Some((JobEnd::Failed, "TARGETS_FAILED".to_owned())));
}

#[test]
fn nothing_changed_is_nothing_to_put_back() {
    let mut some = tasks(&[Failed, Skipped]);
    some[0].remains = Some(Remains::Restored);
    assert_eq!(end(&advance(&rolling(), &some)).unwrap().0, JobEnd::RolledBack);
    assert_eq!(
        end(&advance(&rolling(), &tasks(&[Skipped, Skipped]))),
        Some((JobEnd::Failed, "NO_TARGET_REACHED".to_owned()))
    );
}

#[test]
fn targets_out_of_reach() {
    let with = |offline: &str, reach| {
        let view = job(&format!(r#"{{"type":"all_at_once","offlineTargets":{offline}}}"#));
        let mut some = tasks(&[Pending]);
        some[0].reach = reach;
        advance(&view, &some)
    };
    let offline = Reach::Offline { since: at(-500) };
    assert_eq!(with(r#"{"policy":"fail"}"#, offline), [Effect::FailOffline(id(0))]);
    let skipped = |cause| [Effect::Skip { task_id: id(0), cause }];
    assert_eq!(with(r#"{"policy":"skip"}"#, offline), skipped(SkipCause::Offline));
    assert_eq!(with(r#"{"policy":"wait","waitSeconds":101}"#, offline), [Effect::WakeAt(at(101))]);
    assert_eq!(with(r#"{"policy":"wait","waitSeconds":100}"#, offline), skipped(SkipCause::Offline));
    assert_eq!(with(r#"{"policy":"fail"}"#, Reach::Maintenance), skipped(SkipCause::Maintenance));
    assert_eq!(with(r#"{"policy":"fail"}"#, Reach::Gone), skipped(SkipCause::Gone));
}

#[test]
fn an_offline_target_fails_and_holds_nothing_up() {
    let mut some = tasks(&[Succeeded, Failed, Pending]);
    some[1].attempt = 0;
    assert_eq!(offers(&advance(&rolling(), &some)), [id(2)], "it does not count against maxFailures");
    some[2].status = Succeeded;
    assert_eq!(end(&advance(&rolling(), &some)), Some((JobEnd::Failed, "TARGETS_OFFLINE".to_owned())));
    (some[2].status, some[2].attempt) = (Failed, 1);
    some[2].remains = Some(Remains::Restored);
    assert_eq!(
        advance(&rolling(), &some),
        [Effect::PutBack { undoes: id(0), batch: 0 }],
        "one that failed in its agent's hands does"
    );
    let mut all = tasks(&[Failed, Failed]);
    for task in &mut all {
        task.attempt = 0;
    }
    assert_eq!(end(&advance(&rolling(), &all)), Some((JobEnd::Failed, "NO_TARGET_REACHED".to_owned())));
    let back = JobView { kind: JobKind::Rollback, ..rolling() };
    some[2].status = Succeeded;
    assert_eq!(end(&advance(&back, &some)), Some((JobEnd::Failed, "TARGETS_FAILED".to_owned())));
}

#[test]
fn a_task_that_comes_back_is_offered_again_or_given_up() {
    let again = |reach, attempt| {
        let mut some = tasks(&[Pending]);
        (some[0].reach, some[0].attempt) = (reach, attempt);
        advance(&rolling(), &some)
    };
    assert_eq!(again(Reach::Online, 1), [Effect::Offer(id(0))]);
    assert_eq!(again(Reach::Online, MAX_ATTEMPTS), [Effect::Lose(id(0))]);
    for away in [Reach::Offline { since: at(99) }, Reach::Maintenance, Reach::Gone] {
        assert_eq!(again(away, 1), [Effect::Lose(id(0))], "nobody can see what it left: {away:?}");
    }
}

#[test]
fn a_cancel_stops_before_the_next_target() {
    let cancelling = |cancel| JobView { status: JobStatus::Cancelling, cancel, ..rolling() };
    let mut some = tasks(&[Succeeded, Running, Pending]);
    assert_eq!(advance(&cancelling(CancelMode::Keep), &some), [Effect::Stop(id(1)), Effect::CancelPending(id(2))]);
    some[1].stop = Stop::Asked;
    some[2].status = Cancelled;
    some[2].attempt = 0;
    assert!(advance(&cancelling(CancelMode::Keep), &some).is_empty(), "told once");
    some[1].status = Cancelled;
    some[1].remains = Some(Remains::Restored);
    assert_eq!(end(&advance(&cancelling(CancelMode::Keep), &some)), Some((JobEnd::Cancelled, String::new())));
    assert_eq!(advance(&cancelling(CancelMode::Rollback), &some), [Effect::PutBack { undoes: id(0), batch: 0 }]);
    some.push(back(10, &some[0], Succeeded));
    let done = advance(&cancelling(CancelMode::Rollback), &some);
    assert_eq!(end(&done), Some((JobEnd::RolledBack, String::new())));
    let untouched = tasks(&[Skipped, Skipped]);
    assert_eq!(end(&advance(&cancelling(CancelMode::Rollback), &untouched)).unwrap().0, JobEnd::Cancelled);
}

#[test]
fn a_cancel_does_not_stop_what_is_being_put_back() {
    let mut some = tasks(&[Succeeded, Failed]);
    some[1].remains = Some(Remains::Restored);
    some.push(back(10, &some[0], Running));
    let view = JobView { status: JobStatus::Cancelling, ..rolling() };
    assert!(advance(&view, &some).is_empty());
    some[2].status = Succeeded;
    assert_eq!(end(&advance(&view, &some)).unwrap().0, JobEnd::RolledBack);
}

#[test]
fn a_rollback_goes_on_over_failures_and_is_never_undone() {
    let view = JobView { kind: JobKind::Rollback, ..rolling() };
    assert_eq!(offers(&advance(&view, &tasks(&[Failed, Failed, Pending]))), [id(2)]);
    assert_eq!(end(&advance(&view, &tasks(&[Failed, Succeeded]))), Some((JobEnd::Failed, "TARGETS_FAILED".to_owned())));
    assert_eq!(end(&advance(&view, &tasks(&[Succeeded, Succeeded]))).unwrap().0, JobEnd::Succeeded);
    let cancelled = JobView { status: JobStatus::Cancelling, cancel: CancelMode::Rollback, ..view };
    assert_eq!(end(&advance(&cancelled, &tasks(&[Succeeded, Succeeded]))).unwrap().0, JobEnd::Cancelled);
}

#[test]
fn an_unreachable_target_is_waited_for_and_does_not_hold_up_the_others() {
    let mut some = tasks(&[Succeeded, Failed, Succeeded]);
    some[1].remains = Some(Remains::Restored);
    let undo: Vec<TaskView> = [(12, 2), (10, 0)].map(|(number, of)| back(number, &some[of], Pending)).into();
    some.extend(undo);
    some[3].reach = Reach::Offline { since: at(90) };
    assert_eq!(advance(&rolling(), &some), [Effect::Offer(id(10)), Effect::WakeAt(at(390))]);
    let later = JobView { now: at(390), ..rolling() };
    assert_eq!(advance(&later, &some), [Effect::Lose(id(12)), Effect::Offer(id(10))]);
    some[3].reach = Reach::Maintenance;
    assert_eq!(offers(&advance(&rolling(), &some)), [id(12)], "maintenance does not keep it from being put right");
    some[3].reach = Reach::Gone;
    assert_eq!(advance(&rolling(), &some)[0], Effect::Skip { task_id: id(12), cause: SkipCause::Gone });
}

#[test]
fn a_job_that_waits_or_has_ended_has_no_effects() {
    for status in [
        JobStatus::Queued,
        JobStatus::Paused,
        JobStatus::Succeeded,
        JobStatus::Failed,
        JobStatus::Cancelled,
        JobStatus::RolledBack,
    ] {
        assert!(advance(&JobView { status, ..rolling() }, &tasks(&[Pending, Failed])).is_empty(), "{status}");
    }
}
