//! What the task machine allows when.

use plimsoll_agent::task::{
    entry::{Entry, StopReason},
    machine::{Action, Machine},
    step::{Alias, Old, Plan, Step},
};
use plimsoll_core::{Timestamp, component::runtime::RestartPolicy};
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode, TaskOutcome};

use crate::support::{fresh_task, offer, order};

fn at() -> Timestamp {
    Timestamp::from_seconds(1)
}

fn web() -> String {
    "web".to_owned()
}

/// A plan of Pull, Start, Health, Retire, Settle, Discard.
fn planned() -> Vec<Entry> {
    let old = Old { name: "old".into(), was_running: true, restart: RestartPolicy::Always, grace_seconds: 1 };
    let steps = vec![
        Step::Pull { component: web() },
        Step::Start { component: web(), instance: 0, name: "new".into(), alias: Alias::AtOnce },
        Step::Health { component: web(), names: vec!["new".into()] },
        Step::Retire { component: web(), old: vec![old] },
        Step::Settle { previous: None },
        Step::Discard { names: vec!["old".into()] },
    ];
    let offered = Entry::Offered { offer: offer(&order(fresh_task(), 1, None)), at: at() };
    vec![offered, Entry::Planned { plan: Plan { steps, before: Vec::new() } }]
}

fn done(count: usize) -> Machine {
    let mut entries = planned();
    for index in 0..count {
        entries.push(Entry::Began { index, at: at() });
        entries.push(Entry::Done { index, healthy_since: None });
    }
    Machine::replay(entries).unwrap()
}

#[test]
fn a_lost_lease_turns_back_until_the_new_set_is_healthy() {
    for count in 0..=6 {
        let turns_back = done(count).stop(StopReason::LeaseLost).is_some();
        assert_eq!(turns_back, count < 3, "after {count} steps");
    }
}

#[test]
fn a_cancel_turns_back_until_the_old_set_goes() {
    for count in 0..=6 {
        let turns_back = done(count).stop(StopReason::Cancelled).is_some();
        assert_eq!(turns_back, count < 5, "after {count} steps");
    }
}

#[test]
fn what_began_is_undone_in_reverse_and_what_is_final_never_fails_the_task() {
    let mut machine = done(4);
    machine.take(Entry::Failed { index: 4, error: TaskError::new(TaskErrorCode::AgentDefect, "disk") }).unwrap();
    assert!(matches!(machine.next(), Action::Undo(3, Step::Retire { .. })));
    machine.take(Entry::Undone { index: 3, at: None }).unwrap();
    assert!(matches!(machine.next(), Action::Undo(1, Step::Start { .. })));
    machine
        .take(Entry::NotUndone { index: 1, error: TaskError::new(TaskErrorCode::EngineUnavailable, "gone") })
        .unwrap();
    let Action::Conclude(end) = machine.next() else { panic!("{:?}", machine.next()) };
    assert_eq!((end.outcome, end.error.as_ref().unwrap().code), (TaskOutcome::Failed, TaskErrorCode::UndoFailed));

    let mut machine = done(5);
    machine.take(Entry::Began { index: 5, at: at() }).unwrap();
    machine.take(Entry::Failed { index: 5, error: TaskError::new(TaskErrorCode::EngineUnavailable, "x") }).unwrap();
    let Action::Conclude(end) = machine.next() else { panic!("{:?}", machine.next()) };
    assert_eq!(end.outcome, TaskOutcome::Succeeded);
}

#[test]
fn a_step_that_kills_the_agent_each_time_is_given_up() {
    let mut entries = planned();
    entries.extend((0..22).map(|_| Entry::Began { index: 0, at: at() }));
    assert!(Machine::replay(entries).unwrap().worn_out());
}

#[test]
fn the_same_task_offered_again_goes_on_under_the_new_epoch() {
    let mut machine = done(2);
    let mut again = machine.order().clone();
    again.epoch = 7;
    again.sticker = Some("newer".into());
    machine.take(Entry::Offered { offer: offer(&again), at: at() }).unwrap();
    assert_eq!((machine.order().epoch, machine.order().sticker.as_deref()), (7, Some("newer")));
    assert!(matches!(machine.next(), Action::Apply(2, _)));
}

#[test]
fn the_gap_ends_when_the_new_one_or_the_old_one_answers() {
    let second = Timestamp::from_seconds;
    let old = Old { name: "old".into(), was_running: true, restart: RestartPolicy::Always, grace_seconds: 1 };
    let steps = vec![
        Step::StopOld { component: web(), old: vec![old] },
        Step::Start { component: web(), instance: 0, name: "new".into(), alias: Alias::AtOnce },
        Step::Health { component: web(), names: vec!["new".into()] },
    ];
    let offered = Entry::Offered { offer: offer(&order(fresh_task(), 1, None)), at: at() };
    let mut entries = vec![offered, Entry::Planned { plan: Plan { steps, before: Vec::new() } }];
    for index in 0..3 {
        entries.push(Entry::Began { index, at: second(10 + index as i64) });
        if index < 2 {
            entries.push(Entry::Done { index, healthy_since: None });
        }
    }
    let mut good = Machine::replay(entries.clone()).unwrap();
    assert_eq!(good.downtime_ms("web"), None, "nobody knows yet");
    good.take(Entry::Done { index: 2, healthy_since: Some(second(14)) }).unwrap();
    assert_eq!(good.downtime_ms("web"), Some(4000));

    let mut bad = Machine::replay(entries).unwrap();
    bad.take(Entry::Failed { index: 2, error: TaskError::new(TaskErrorCode::Unhealthy, "sick") }).unwrap();
    bad.take(Entry::Undone { index: 1, at: Some(second(40)) }).unwrap();
    bad.take(Entry::Undone { index: 0, at: Some(second(42)) }).unwrap();
    assert!(bad.is_back());
    assert_eq!(bad.downtime_ms("web"), Some(32_000), "until the old one answered again");
}
