//! Everything under the hash changes it, and nothing else does.

use super::*;
use crate::{
    deployment::{
        plan::{Chosen, PlanInput, make},
        spec::{ResolvedValue, ValueSource},
        testing::{component, labels, spec},
    },
    environment::{GateDefinition, GateType, PromotesFrom},
    promotion::{
        PolicyFacts,
        testing::{id, policy, rule},
    },
};

struct World {
    release_digest: Digest,
    environment_id: EnvironmentId,
    strategy: Strategy,
    variables: Vec<ResolvedTargetValues>,
    secrets: Vec<SecretVersion>,
    rules: RulesInForce,
    plan: Plan,
    override_request: Option<Override>,
}

fn plan(version: &str, targets: &[u128]) -> Plan {
    let none = labels(&[]);
    let shown = spec(1, vec![component(1, version)]);
    let inputs: Vec<_> = targets
        .iter()
        .map(|number| PlanInput {
            target_id: id(*number),
            name: "t",
            labels: &none,
            skip: None,
            spec: Some(&shown),
            running: None,
            kept: None,
        })
        .collect();
    make(&Strategy::default(), &inputs, Chosen::All).unwrap()
}

fn values(value: &str, source: ValueSource) -> ResolvedTargetValues {
    let resolved = ResolvedValue { value: value.to_owned(), source };
    ResolvedTargetValues {
        target_id: id(1),
        target_name: "t".to_owned(),
        component: "api".to_owned(),
        values: [("LEVEL".to_owned(), resolved)].into(),
    }
}

fn secret(version: i64) -> SecretVersion {
    SecretVersion { name: "TOKEN".to_owned(), target_labels: Labels::new(), version: Some(version), reference: None }
}

fn world() -> World {
    World {
        release_digest: Digest::of(b"release"),
        environment_id: id(5),
        strategy: Strategy::default(),
        variables: vec![values("info", ValueSource::EnvironmentVariables)],
        secrets: vec![secret(1)],
        rules: RulesInForce {
            gates: vec![GateDefinition::Approval {}],
            promotes_from: PromotesFrom { environment_ids: vec![id(4)], minimum: None },
            soak_seconds: 60,
            policies: vec![policy(vec![rule("two", 2, &["approver"], &[])])],
        },
        plan: plan("1", &[1, 2]),
        override_request: None,
    }
}

fn subject(world: &World) -> Subject {
    Subject::of(SubjectParts {
        release_digest: world.release_digest,
        environment_id: world.environment_id,
        strategy: &world.strategy,
        variables: &world.variables,
        secrets: &world.secrets,
        rules: &world.rules,
        plan: &world.plan,
        override_request: world.override_request.as_ref(),
    })
    .unwrap()
}

#[test]
fn each_input_changes_the_hash_and_is_named() {
    type Change = fn(&mut World);
    let cases: &[(&str, Change)] = &[
        ("release", |world| world.release_digest = Digest::of(b"other")),
        ("environment", |world| world.environment_id = id(6)),
        ("strategy", |world| world.strategy = serde_json::from_str(r#"{"type":"all_at_once"}"#).unwrap()),
        ("strategy", |world| world.strategy = serde_json::from_str(r#"{"type":"rolling","batchSize":2}"#).unwrap()),
        ("variables", |world| world.variables = vec![values("debug", ValueSource::EnvironmentVariables)]),
        ("variables", |world| world.variables.clear()),
        ("secrets", |world| world.secrets = vec![secret(2)]),
        ("secrets", |world| world.secrets[0].name = "OTHER".to_owned()),
        ("secrets", |world| world.secrets[0].reference = Some("vault:a/b#c".to_owned())),
        ("rules", |world| world.rules.gates.clear()),
        ("rules", |world| world.rules.promotes_from.environment_ids.clear()),
        ("rules", |world| world.rules.soak_seconds = 61),
        ("rules", |world| world.rules.policies[0].rules[0].min_approvals = 1),
        ("rules", |world| world.rules.policies[0].rules[0].approvers.users = vec![id(9)]),
        ("rules", |world| world.rules.policies[0].separation_of_duties = false),
        ("rules", |world| world.rules.policies[0].expires_after_seconds = Some(60)),
        ("rules", |world| world.rules.policies[0].require_comment = true),
        ("rules", |world| world.rules.policies.clear()),
        ("plan", |world| world.plan = plan("2", &[1, 2])),
        ("plan", |world| world.plan = plan("1", &[1, 2, 3])),
        ("override", |world| {
            world.override_request = Some(Override { gates: vec![GateType::SoakTime], reason: "x".to_owned() });
        }),
    ];
    let before = subject(&world());
    for (name, change) in cases {
        let mut changed = world();
        change(&mut changed);
        let after = subject(&changed);
        assert_ne!(before.hash().unwrap(), after.hash().unwrap(), "{name}");
        assert_eq!(before.changed(&after), [*name]);
    }
}

#[test]
fn nothing_else_changes_it() {
    type Change = fn(&mut World);
    let cases: &[(&str, Change)] = &[
        ("the name of a policy", |world| {
            world.rules.policies[0] = PolicyFacts { name: "new".to_owned(), ..world.rules.policies[0].clone() }
        }),
        ("the name of a rule", |world| world.rules.policies[0].rules[0].name = "new".to_owned()),
        ("where a value comes from", |world| world.variables = vec![values("info", ValueSource::PromotionVariables)]),
        ("a target that went offline", |world| {
            world.plan.targets[0].skip = Some(crate::deployment::SkipReason::Offline);
        }),
        ("a target's name", |world| world.plan.targets[0].name = "renamed".to_owned()),
        ("the order of targets", |world| world.plan.targets.reverse()),
        ("what runs now", |world| world.plan.targets[0].components[0].from_digest = Some(Digest::of(b"x"))),
    ];
    let before = subject(&world());
    for (name, change) in cases {
        let mut changed = world();
        change(&mut changed);
        assert_eq!(before.changed(&subject(&changed)), Vec::<&str>::new(), "{name}");
        assert_eq!(before.hash().unwrap(), subject(&changed).hash().unwrap(), "{name}");
    }
}

#[test]
fn the_hash_is_stable() {
    let stored = serde_json::to_string(&subject(&world())).unwrap();
    let read: Subject = serde_json::from_str(&stored).unwrap();
    assert_eq!(read.hash().unwrap(), subject(&world()).hash().unwrap());
}
