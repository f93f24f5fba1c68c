//! Plans: order, batches, what goes, what is refused.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::{
    component::runtime::{Port, Protocol, Publish, PublishWord, Switch, Volume},
    deployment::{
        Handover,
        testing::{component, id, labels, spec},
    },
    environment::{BatchSize, FailurePolicy, OfflineTargets, Strategy},
};

fn rolling(batch_size: &str, order_by_label: Option<&str>) -> Strategy {
    Strategy::Rolling {
        batch_size: batch_size.parse().unwrap(),
        pause_seconds: 0,
        order_by_label: order_by_label.map(str::to_owned),
        max_failures: 0,
        failure_policy: FailurePolicy::Rollback,
        offline_targets: OfflineTargets::default(),
        watch_seconds: 0,
    }
}

fn all_at_once() -> Strategy {
    serde_json::from_str(r#"{"type":"all_at_once"}"#).unwrap()
}

fn input<'a>(number: u128, name: &'a str, labels: &'a Labels, spec: &'a DeploymentSpec) -> PlanInput<'a> {
    PlanInput { target_id: id(number), name, labels, skip: None, spec: Some(spec), running: None, kept: None }
}

fn order_of(plan: &Plan) -> Vec<(&str, u32)> {
    plan.targets.iter().map(|target| (target.name.as_str(), target.batch)).collect()
}

#[test]
fn targets_go_in_batches_by_label_then_name() {
    let shown = spec(0, vec![component(1, "1")]);
    let zones = [
        labels(&[("wave", "10")]),
        labels(&[("wave", "2")]),
        labels(&[("wave", "x")]),
        labels(&[]),
        labels(&[("wave", "2")]),
    ];
    let names = ["e", "d", "c", "b", "a"];
    let targets: Vec<_> = names
        .iter()
        .zip(&zones)
        .enumerate()
        .map(|(at, (name, labels))| input(at as u128, name, labels, &shown))
        .collect();
    let plan = make(&rolling("2", Some("wave")), &targets, Chosen::All).unwrap();
    assert_eq!(order_of(&plan), [("a", 0), ("d", 0), ("e", 1), ("c", 1), ("b", 2)]);
    assert_eq!(plan.batches, 3);
    let plan = make(&rolling("1", None), &targets, Chosen::All).unwrap();
    assert_eq!(order_of(&plan), [("a", 0), ("b", 1), ("c", 2), ("d", 3), ("e", 4)]);
    let plan = make(&all_at_once(), &targets, Chosen::All).unwrap();
    assert!(plan.targets.iter().all(|target| target.batch == 0));
    assert_eq!(plan.batches, 1);
}

#[test]
fn a_share_is_rounded_up_and_at_least_one() {
    let cases = [("25%", 4, 1), ("25%", 5, 2), ("1%", 3, 1), ("100%", 7, 7), ("50%", 3, 2), ("3", 2, 3)];
    for (size, targets, batch) in cases {
        assert_eq!(size.parse::<BatchSize>().unwrap().of(targets), batch, "{size} of {targets}");
    }
    for bad in ["0", "0%", "101%", "-1", "", "%", "1.5", "25 %"] {
        assert!(bad.parse::<BatchSize>().is_err(), "{bad}");
    }
    let wire = |text: &str| serde_json::from_str::<BatchSize>(text);
    assert_eq!(wire("3").unwrap(), BatchSize::Count(NonZeroU32::new(3).unwrap()));
    assert_eq!(serde_json::to_string(&wire("\"25%\"").unwrap()).unwrap(), "\"25%\"");
    for bad in ["0", "-1", "\"3\"", "2.5", "\"0%\"", "null", "4294967296"] {
        assert!(wire(bad).is_err(), "{bad}");
    }
}

#[test]
fn components_come_stay_and_go() {
    let none = labels(&[]);
    let wanted = spec(1, vec![component(1, "2"), component(2, "1"), component(4, "1")]);
    let running = spec(1, vec![component(1, "1"), component(2, "1"), component(3, "1"), component(5, "1")]);
    let target = PlanInput { running: Some(&running), ..input(1, "a", &none, &wanted) };
    let plan = make(&all_at_once(), &[target], Chosen::All).unwrap();
    let seen: Vec<_> = plan.targets[0].components.iter().map(|one| (one.name.as_str(), one.change)).collect();
    assert_eq!(
        seen,
        [
            ("c1", PlannedChange::Replaced),
            ("c2", PlannedChange::Unchanged),
            ("c4", PlannedChange::Added),
            ("c5", PlannedChange::Removed),
            ("c3", PlannedChange::Removed),
        ]
    );
    let mut tuned = component(2, "1");
    tuned.runtime.stop_grace_seconds = Some(3);
    let other = spec(1, vec![tuned]);
    let plan =
        make(&all_at_once(), &[PlanInput { running: Some(&running), ..input(1, "a", &none, &other) }], Chosen::All)
            .unwrap();
    assert_eq!(plan.targets[0].components[0].change, PlannedChange::Replaced, "another configuration");
}

#[test]
fn what_no_component_selects_is_listed_or_emptied() {
    let none = labels(&[]);
    let wanted = spec(1, vec![component(1, "1")]);
    let unused = PlanInput { spec: None, ..input(2, "b", &none, &wanted) };
    let emptied = PlanInput { running: Some(&wanted), ..PlanInput { spec: None, ..input(3, "c", &none, &wanted) } };
    let plan = make(&all_at_once(), &[input(1, "a", &none, &wanted), unused, emptied], Chosen::All).unwrap();
    assert_eq!(order_of(&plan), [("a", 0), ("c", 0)]);
    assert_eq!(plan.targets[1].components[0].change, PlannedChange::Removed);
    assert_eq!(plan.left_out[0].reason, LeftOutReason::NoComponent);
    assert_eq!(make(&all_at_once(), &[unused], Chosen::All).unwrap_err().code(), ErrorCode::NoTargetForComponent);
}

#[test]
fn what_was_planned_for_a_deleted_target_stays() {
    let none = labels(&[]);
    let (wanted, running) = (spec(1, vec![component(1, "2")]), spec(1, vec![component(1, "1"), component(2, "1")]));
    let before =
        [input(1, "a", &none, &wanted), PlanInput { running: Some(&running), ..input(2, "b", &none, &wanted) }];
    let first = make(&rolling("1", None), &before, Chosen::All).unwrap();
    let gone = PlanInput { spec: None, running: None, kept: Some(&first.targets[1]), ..before[1] };
    let then = make(&rolling("1", None), &[before[0], gone], Chosen::All).unwrap();
    assert_eq!((then.hash, then.batches), (first.hash, 2));
    assert_eq!(then.targets[1].components, first.targets[1].components, "what it would have lost, too");
    assert_eq!(then.targets[1].skip, Some(SkipReason::Deleted));
}

#[test]
fn only_chosen_targets_are_planned() {
    let none = labels(&[]);
    let wanted = spec(1, vec![component(1, "1")]);
    let targets = [input(1, "a", &none, &wanted), input(2, "b", &none, &wanted)];
    let chosen = BTreeSet::from([id(2)]);
    let plan = make(&all_at_once(), &targets, Chosen::These(&chosen)).unwrap();
    assert_eq!(order_of(&plan), [("b", 0)]);
    assert_eq!(plan.left_out[0].reason, LeftOutReason::NotChosen);
}

#[test]
fn the_hash_sees_what_is_done_and_not_who_is_away() {
    let none = labels(&[]);
    let moved = labels(&[("wave", "9")]);
    let (one, two) = (spec(1, vec![component(1, "1")]), spec(1, vec![component(1, "2")]));
    let hash = |targets: &[PlanInput<'_>]| make(&rolling("1", Some("wave")), targets, Chosen::All).unwrap().hash;
    let base = [input(1, "a", &none, &one), input(2, "b", &none, &one)];
    let away = PlanInput { skip: Some(SkipReason::Offline), ..base[1] };
    assert_eq!(hash(&base), hash(&[base[0], away]));
    assert_eq!(hash(&base), hash(&[input(1, "a", &moved, &one), base[1]]), "another order");
    assert_ne!(hash(&base), hash(&[base[0], input(2, "b", &none, &two)]), "another digest");
    assert_ne!(hash(&base), hash(&base[..1]), "another target");
    let mut tuned = one.clone();
    tuned.components[0].runtime.stop_grace_seconds = Some(3);
    assert_ne!(hash(&base), hash(&[base[0], input(2, "b", &none, &tuned)]), "another configuration");
    let shown = make(&rolling("1", None), &[away], Chosen::All).unwrap();
    assert_eq!(shown.targets[0].skip, Some(SkipReason::Offline), "and yet it is shown");
}

fn with_port(number: u128, publish: Publish) -> ComponentSpec {
    let mut one = component(number, "1");
    one.runtime.ports = vec![Port { container: 80, publish, bind: None, protocol: Protocol::Tcp }];
    one
}

#[test]
fn whoever_asks_a_published_port_is_warned_of_its_change() {
    let auto = || with_port(1, Publish::Word(PublishWord::Auto));
    let recreate = |publish| {
        let mut one = with_port(1, publish);
        one.runtime.switch = Some(Switch::Recreate);
        one
    };
    let cases = [
        (auto(), Some(Handover::WithoutRouter)),
        (recreate(Publish::Word(PublishWord::Auto)), Some(Handover::Gap)),
        (recreate(Publish::Fixed(8080)), Some(Handover::Gap)),
        (with_port(1, Publish::Word(PublishWord::None)), None),
        (component(1, "1"), None),
    ];
    let none = labels(&[]);
    for (one, expected) in cases {
        let mut newer = one.clone();
        newer.image.digest = Digest::of(b"newer");
        let (before, after) = (spec(0, vec![one]), spec(0, vec![newer]));
        let handovers = |running, wanted| {
            let target = PlanInput { running, ..input(0, "a", &none, wanted) };
            make(&all_at_once(), &[target], Chosen::All).unwrap().targets[0].components[0].handover
        };
        assert_eq!(handovers(Some(&before), &after), expected);
        assert_eq!(handovers(Some(&before), &before), None, "nothing changes");
        assert_eq!(handovers(None, &after), None, "nobody asks it yet");
    }
}

#[test]
fn a_fixed_port_needs_recreate() {
    let none = labels(&[]);
    let try_it = |components| {
        let shown = spec(1, components);
        make(&all_at_once(), &[input(1, "a", &none, &shown)], Chosen::All).map(|_| ())
    };
    for free in [Publish::Word(PublishWord::None), Publish::Word(PublishWord::Auto)] {
        assert!(try_it(vec![with_port(1, free)]).is_ok());
    }
    let refused = try_it(vec![with_port(1, Publish::Fixed(8080))]).unwrap_err();
    assert_eq!(refused.code(), ErrorCode::StartFirstNeedsFreePort);
    assert!(refused.message().contains("c1") && refused.message().contains("8080"), "{}", refused.message());
    let recreate = |number, switch| {
        let mut one = with_port(number, Publish::Fixed(8080));
        one.runtime.switch = switch;
        one
    };
    assert!(try_it(vec![recreate(1, Some(Switch::StartFirst))]).is_err());
    assert!(try_it(vec![recreate(1, Some(Switch::Recreate))]).is_ok());
    let mut database = with_port(1, Publish::Fixed(5432));
    database.runtime.volumes = vec![Volume {
        source: "data".into(),
        target: "/data".into(),
        read_only: false,
        exclusive: true,
        external: false,
    }];
    assert!(try_it(vec![database]).is_ok(), "an exclusive volume is a recreate");
    let two = [recreate(1, Some(Switch::Recreate)), recreate(2, Some(Switch::Recreate))];
    assert_eq!(try_it(two.to_vec()).unwrap_err().code(), ErrorCode::RuleViolated, "both on 8080");
    let mut many = recreate(1, Some(Switch::Recreate));
    many.instances = 2;
    assert_eq!(try_it(vec![many]).unwrap_err().code(), ErrorCode::RuleViolated, "twice on 8080");
}

proptest! {
    #[test]
    fn every_target_is_in_one_batch_of_bounded_size(count in 1..60usize, percent in 1..=100u8) {
        let none = labels(&[]);
        let shown = spec(1, vec![component(1, "1")]);
        let names: Vec<String> = (0..count).map(|at| format!("t{at:03}")).collect();
        let targets: Vec<_> = names.iter().enumerate().map(|(at, name)| input(at as u128, name, &none, &shown)).collect();
        let size = BatchSize::Percent(percent);
        let plan = make(&rolling(&size.to_string(), None), &targets, Chosen::All).unwrap();
        prop_assert_eq!(plan.targets.len(), count);
        for batch in 0..plan.batches {
            let members = plan.targets.iter().filter(|one| one.batch == batch).count();
            prop_assert!((1..=size.of(count)).contains(&members));
        }
        prop_assert!(plan.targets.windows(2).all(|pair| pair[0].batch <= pair[1].batch));
    }
}
