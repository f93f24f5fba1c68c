//! A task killed anywhere, any number of times, stopped from outside at any moment: in the end one whole set
//! runs, nothing was started twice for it, and what is reported is what runs.

use std::{collections::BTreeSet, time::Duration};

use plimsoll_agent::{
    drivers::instances::{InstanceDriver, read_record},
    fence::Fence,
    lease::Lease,
    masking::Masker,
    session::outbox::Outbox,
    task::{
        entry::{Entry, StopReason},
        logger::TaskLogger,
        machine::Machine,
        runner::Runner,
        secrets::{SecretDesk, Secrets},
    },
};
use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Health, HealthCheck, RestartPolicy, Switch},
    },
    context::Context,
    deployment::{Remains, spec::DeploymentSpec},
};
use plimsoll_protocol::agent::{
    observe::RunState,
    order::TaskOrder,
    report::{TaskErrorCode, TaskOutcome, TaskResult},
};
use proptest::prelude::*;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    sim::{SimJournal, World, component_of},
    support::{component, fresh_task, id, offer, order, spec},
};

#[derive(Clone, Debug)]
struct Part {
    old: bool,
    unchanged: bool,
    wanted: bool,
    recreate: bool,
    networks: bool,
    sick: bool,
}

#[derive(Clone, Debug)]
enum Disturbance {
    None,
    Cancel(Duration),
    LeaseEnds(Duration),
}

fn part() -> impl Strategy<Value = Part> {
    (any::<[bool; 5]>(), prop::bool::weighted(0.15)).prop_map(|([old, unchanged, wanted, recreate, networks], sick)| {
        Part { old, unchanged: unchanged && old, wanted: wanted || !old, recreate, networks, sick }
    })
}

fn disturbance() -> impl Strategy<Value = Disturbance> {
    prop_oneof![
        3 => Just(Disturbance::None),
        1 => (0_u64..40_000).prop_map(|ms| Disturbance::Cancel(Duration::from_millis(ms))),
        1 => (0_u64..40_000).prop_map(|ms| Disturbance::LeaseEnds(Duration::from_millis(ms))),
    ]
}

fn runtime(part: &Part) -> Runtime {
    Runtime {
        health: Some(Health {
            check: HealthCheck::Tcp { port: 80 },
            start_period_seconds: 0,
            interval_seconds: 1,
            timeout_seconds: 1,
            retries: 2,
            healthy_for_seconds: 3,
            deadline_seconds: 60,
        }),
        networks: if part.networks { vec!["front".to_owned()] } else { Vec::new() },
        switch: part.recreate.then_some(Switch::Recreate),
        ..Runtime::default()
    }
}

fn release(parts: &[Part], version: u8, old: bool) -> DeploymentSpec {
    let components =
        parts.iter().zip(["api", "web", "job"]).filter(|(part, _)| if old { part.old } else { part.wanted });
    spec(
        version,
        components
            .map(|(part, name)| component(name, if part.unchanged { 1 } else { version }, runtime(part)))
            .collect(),
    )
}

/// Runs a task to its end over as many lives of the agent as it takes; gives the result and the wall time.
async fn run(world: &World, order: &TaskOrder, disturbance: &Disturbance) -> TaskResult {
    let began = Instant::now();
    let context = Context::system();
    let lease = Lease::awaited(Duration::from_mins(1));
    let (stop, stopped) = watch::channel(None);
    let length = match disturbance {
        Disturbance::LeaseEnds(after) => *after,
        Disturbance::None | Disturbance::Cancel(_) => Duration::from_secs(1_000_000),
    };
    lease.granted(began, length);
    let disturbed = async {
        if let Disturbance::Cancel(after) = disturbance {
            tokio::time::sleep_until(began + *after).await;
            stop.send(Some(StopReason::Cancelled)).unwrap();
        }
        std::future::pending::<()>().await;
    };
    let lives = async {
        world.with(|state| state.entries.push(Entry::Offered { offer: offer(order), at: context.now() }));
        loop {
            let entries = world.with(|state| state.entries.clone());
            let machine = Machine::replay(entries).unwrap();
            let outbox = Outbox::default();
            let log = TaskLogger::new(order.task_id, order.epoch, context.clone(), outbox.clone(), Masker::default());
            let secrets = Secrets::new(order.task_id, order.epoch, SecretDesk::default(), outbox, Masker::default());
            let mut runner = Runner {
                driver: InstanceDriver::new(world.clone(), context.clone()),
                journal: SimJournal(world.clone()),
                machine,
                fence: Fence::open(plimsoll_agent::drivers::host::InstanceHost::directory(world)).unwrap(),
                lease: lease.clone(),
                log,
                secrets,
                context: context.clone(),
                stop: stopped.clone(),
                offers: mpsc::channel(1).1,
            };
            tokio::select! {
                result = runner.run() => return result.unwrap(),
                () = world.killed() => {}
            }
        }
    };
    tokio::select! {
        result = lives => result,
        () = disturbed => unreachable!(),
    }
}

fn running(world: &World) -> BTreeSet<String> {
    world.with(|state| {
        let up = state.instances.values().filter(|sim| sim.instance.state == RunState::Running);
        up.map(|sim| sim.instance.name.clone()).collect()
    })
}

fn test_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

/// One release after another, and what came of it; gives the number of moments that the second one had.
async fn story(parts: Vec<Part>, kills: BTreeSet<usize>, disturbance: Disturbance) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new(dir.path());
    let old = release(&parts, 1, true);
    let first = order(fresh_task(), 1, Some(old.clone()));
    let settled = run(&world, &first, &Disturbance::None).await;
    assert_eq!(settled.outcome, TaskOutcome::Succeeded, "{settled:?}");
    let before = running(&world);
    let record_before = read_record(dir.path(), "shop").unwrap();

    let began = world.with(|state| {
        state.entries.clear();
        state.instances.values_mut().for_each(|sim| (sim.new, sim.starts) = (false, 0));
        state.kills = kills.iter().map(|kill| kill + state.ticks).collect();
        let names = ["api", "web", "job"];
        state.sick = parts.iter().zip(names).filter(|(part, _)| part.sick).map(|(_, name)| name.to_owned()).collect();
        // A set that stays or is replaced beside the old one never leaves its users alone.
        let guarded = parts.iter().zip(names).filter(|(part, _)| part.old && part.wanted && !part.recreate);
        state.guarded = guarded.map(|(_, name)| name.to_owned()).collect();
        state.ticks
    });
    let second = order(fresh_task(), 2, Some(release(&parts, 2, false)));
    let result = run(&world, &second, &disturbance).await;

    world.with(|state| {
        assert_eq!(state.wrong, Vec::<String>::new());
        let twice: Vec<_> = state.instances.values().filter(|sim| sim.new && sim.starts > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let ends = state.entries.iter().filter(|entry| matches!(entry, Entry::Finished { .. })).count();
        assert_eq!(ends, 1);
    });
    let after = running(&world);
    let sticker = std::fs::read_to_string(dir.path().join("shop.plimsoll.json")).unwrap();
    if result.outcome == TaskOutcome::Succeeded {
        let wanted = parts.iter().zip(["api", "web", "job"]).filter(|(part, _)| part.wanted);
        let wanted: BTreeSet<&str> = wanted.map(|(_, name)| name).collect();
        let up = world.with(|state| {
            assert_eq!(state.instances.len(), wanted.len(), "the old set is gone: {:?}", state.instances.keys());
            state.instances.values().map(|sim| component_of(&sim.instance).unwrap().clone()).collect::<BTreeSet<_>>()
        });
        assert_eq!(up.iter().map(String::as_str).collect::<BTreeSet<_>>(), wanted);
        assert_eq!(after.len(), wanted.len());
        assert!(sticker.contains(&second.task_id.to_string()));
        assert!(result.sticker_placed && result.error.is_none());
    } else {
        assert_eq!(result.remains, Some(Remains::Restored), "{result:?}");
        assert_eq!(after, before, "{result:?}");
        assert!(sticker.contains(&first.task_id.to_string()));
        assert_eq!(read_record(dir.path(), "shop").unwrap(), record_before);
        let left = world.with(|state| state.instances.len());
        assert_eq!(left, before.len(), "nothing of the failed task is left");
        match disturbance {
            Disturbance::Cancel(_) | Disturbance::LeaseEnds(_) => {}
            Disturbance::None => assert!(parts.iter().any(|part| part.sick), "{result:?}"),
        }
    }
    // Restart policies are as they were asked for.
    world.with(|state| {
        for sim in state.instances.values() {
            assert_eq!(sim.instance.restart, RestartPolicy::default(), "{}", sim.instance.name);
        }
        state.ticks - began
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn one_working_set_whatever_happens(
        parts in prop::collection::vec(part(), 1..=3),
        kills in prop::collection::btree_set(0_usize..120, 0..6),
        disturbance in disturbance(),
    ) {
        test_runtime().block_on(story(parts, kills, disturbance));
    }
}

#[test]
fn killed_at_every_single_moment() {
    let plain = Part { old: true, unchanged: false, wanted: true, recreate: false, networks: true, sick: false };
    let failing = Part { sick: true, ..plain.clone() };
    let recreate = Part { recreate: true, ..plain.clone() };
    for parts in [vec![plain.clone(), recreate.clone()], vec![plain, recreate, failing]] {
        let mut kill = 0;
        while test_runtime().block_on(story(parts.clone(), BTreeSet::from([kill]), Disturbance::None)) > kill {
            kill += 1;
        }
        assert!(kill > 50, "{kill} moments");
    }
}

#[test]
fn a_fenced_task_touches_nothing() {
    test_runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::new(dir.path());
        let part = Part { old: true, unchanged: false, wanted: true, recreate: false, networks: false, sick: false };
        run(&world, &order(fresh_task(), 5, Some(release(std::slice::from_ref(&part), 1, true))), &Disturbance::None)
            .await;
        let before = running(&world);
        world.with(|state| state.entries.clear());
        let late = order(fresh_task(), 4, Some(release(&[part], 2, false)));
        let result = run(&world, &late, &Disturbance::None).await;
        assert_eq!(result.outcome, TaskOutcome::Unknown);
        assert_eq!(result.error.unwrap().code, TaskErrorCode::StaleEpoch);
        assert_eq!(running(&world), before);
    });
}

#[test]
fn a_teardown_leaves_nothing_and_no_sticker() {
    test_runtime().block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let world = World::new(dir.path());
        let part = Part { old: true, unchanged: false, wanted: true, recreate: false, networks: false, sick: false };
        run(&world, &order(fresh_task(), 1, Some(release(&[part], 1, true))), &Disturbance::None).await;
        world.with(|state| state.entries.clear());
        let down = TaskOrder { sticker: None, ..order(fresh_task(), 2, None) };
        let result = run(&world, &down, &Disturbance::None).await;
        assert_eq!(result.outcome, TaskOutcome::Succeeded);
        assert_eq!(result.components[0].running_digest, None);
        assert_eq!(result.components[0].component_id, Some(id("api".bytes().map(u128::from).sum())));
        assert!(world.with(|state| state.instances.is_empty()));
        assert!(!dir.path().join("shop.plimsoll.json").exists());
    });
}
