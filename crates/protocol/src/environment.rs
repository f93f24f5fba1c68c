//! Request bodies of environments.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{
    Timestamp,
    environment::{GateDefinition, OfflineTargets, Placement, PromotesFrom, ScopedVariables, Strategy, freeze},
    id::ApprovalPolicyId,
    label::Labels,
    rules,
};
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// A day, the longest pause or wait of a strategy.
const DAY: u32 = 86_400;

/// The body of `POST /environments`.
pub type CreateEnvironment = EnvironmentBody;
/// The body of `PUT /environments/{id}`: every field that is absent returns to its default, secrets stay.
pub type UpdateEnvironment = EnvironmentBody;

/// What a caller may say about an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentBody {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), inner(custom(rules::plain)))]
    pub display_name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(max = rules::DESCRIPTION), custom(rules::prose))]
    pub description: Option<String>,
    /// Its place in lists, smallest first.
    #[serde(default)]
    #[garde(range(min = -1_000_000, max = 1_000_000))]
    pub order_index: i32,
    /// Where a release must have been deployed first.
    #[serde(default)]
    #[garde(custom(check_promotes_from))]
    pub promotes_from: PromotesFrom,
    /// The policy that approvals must meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub approval_policy_id: Option<ApprovalPolicyId>,
    /// The gates in their order.
    #[serde(default)]
    #[garde(length(max = 32), custom(check_gates))]
    pub gates: Vec<GateDefinition>,
    /// How long the release must have run in each required predecessor; at most a year.
    #[serde(default)]
    #[garde(range(max = 366 * DAY))]
    pub soak_seconds: u32,
    /// The deployment strategy of promotions that name none; one target after the other when absent.
    #[serde(default)]
    #[garde(custom(check_strategy))]
    pub strategy: Strategy,
    /// Whether one job at a time runs here for all applications together.
    #[serde(default)]
    #[garde(skip)]
    pub exclusive: bool,
    /// Whether a newer release of an application supersedes one that still waits.
    #[serde(default)]
    #[garde(skip)]
    pub supersede_waiting: bool,
    /// Where components go, instead of where they say themselves.
    #[serde(default)]
    #[garde(length(max = 500), custom(check_placements))]
    pub placements: Vec<Placement>,
    /// Variables of every target here.
    #[serde(default)]
    #[garde(custom(rules::variables))]
    pub variables: BTreeMap<String, String>,
    /// Variables of targets with certain labels.
    #[serde(default)]
    #[garde(length(max = 200), custom(check_scoped_variables))]
    pub scoped_variables: Vec<ScopedVariables>,
    /// Secrets. Left out, those that are there stay; those that are not in the list are removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 200), custom(check_distinct_secrets), dive)]
    pub secret_refs: Option<Vec<SecretInput>>,
    /// Labels.
    #[serde(default)]
    #[garde(custom(rules::labels))]
    pub labels: Labels,
    /// IANA name of the zone that people here think in; UTC when absent.
    #[serde(default = "utc")]
    #[garde(length(max = 64), custom(check_zone))]
    pub timezone: String,
    /// Why the rules change; needed when what decides about promotions changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

/// A secret of an environment. Without `value` the one that is there stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretInput {
    /// The name by which runtimes ask for it.
    #[garde(custom(variable_name))]
    pub name: String,
    /// The labels that a target must have; every target when empty.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    #[garde(custom(rules::labels))]
    pub target_labels: Labels,
    /// The value itself; never shown again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(write_only)]
    #[garde(dive)]
    pub value: Option<SecretText>,
    /// As read; may be sent back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub version: Option<i64>,
    /// As read; may be sent back unchanged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub updated_at: Option<Timestamp>,
}

fn utc() -> String {
    "UTC".to_owned()
}

pub(crate) fn check_zone<T: AsRef<str>>(name: &T, (): &()) -> garde::Result {
    rules::ensure(freeze::is_zone(name.as_ref()), "must be an IANA time zone such as Europe/Berlin")
}

fn variable_name<T: AsRef<str>>(name: &T, (): &()) -> garde::Result {
    rules::ensure(
        rules::is_variable_name(name.as_ref()),
        "must be letters, digits and '_', not beginning with a digit, at most 128",
    )
}

fn check_promotes_from(from: &PromotesFrom, (): &()) -> garde::Result {
    from.check().map_err(garde::Error::new)
}

fn check_gates(gates: &[GateDefinition], (): &()) -> garde::Result {
    let twice = |(at, gate): (usize, &GateDefinition)| gates[..at].iter().any(|one| one.kind() == gate.kind());
    rules::ensure(!gates.iter().enumerate().any(twice), "must name each gate once")
}

/// Times of a strategy are bounded, so that a job always ends.
pub(crate) fn check_strategy(strategy: &Strategy, (): &()) -> garde::Result {
    let wait = match strategy.offline_targets() {
        OfflineTargets::Fail {} | OfflineTargets::Skip {} => 0,
        OfflineTargets::Wait { wait_seconds } => wait_seconds,
    };
    let times = [strategy.pause_seconds(), strategy.watch_seconds(), wait];
    rules::ensure(
        times.iter().all(|seconds| *seconds <= DAY),
        "must not pause, watch or wait longer than 86400 seconds",
    )?;
    match strategy {
        Strategy::AllAtOnce { .. } | Strategy::Rolling { order_by_label: None, .. } => Ok(()),
        Strategy::Rolling { order_by_label: Some(key), .. } => rules::label_key(key),
    }
}

fn check_placements(placements: &[Placement], (): &()) -> garde::Result {
    for (at, one) in placements.iter().enumerate() {
        rules::ensure(
            placements[..at].iter().all(|other| other.component_id != one.component_id),
            "must place each component once",
        )?;
        garde::Validate::validate(&one.selector).map_err(|report| garde::Error::new(first(&report)))?;
    }
    Ok(())
}

fn check_scoped_variables(scoped: &[ScopedVariables], (): &()) -> garde::Result {
    for (at, one) in scoped.iter().enumerate() {
        rules::ensure(!one.target_labels.is_empty(), "must have targetLabels; use variables for what holds for all")?;
        let twice = scoped[..at].iter().any(|other| other.target_labels == one.target_labels);
        rules::ensure(!twice, "must have each set of targetLabels once")?;
        rules::labels(&one.target_labels, &())?;
        rules::variables(&one.variables, &())?;
    }
    Ok(())
}

fn check_distinct_secrets(secrets: &Option<Vec<SecretInput>>, (): &()) -> garde::Result {
    let secrets = secrets.as_deref().unwrap_or_default();
    let same = |a: &SecretInput, b: &SecretInput| a.name == b.name && a.target_labels == b.target_labels;
    let twice = |(at, one): (usize, &SecretInput)| secrets[..at].iter().any(|other| same(one, other));
    rules::ensure(!secrets.iter().enumerate().any(twice), "must name each secret once for the same targetLabels")
}

/// The first complaint of a report, with its place.
pub(crate) fn first(report: &garde::Report) -> String {
    report.iter().next().map_or_else(String::new, |(path, error)| format!("{path}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(json: serde_json::Value) -> String {
        let body: EnvironmentBody = serde_json::from_value(json).unwrap();
        body.validate().err().map(|report| report.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_name_is_enough() {
        assert_eq!(complaints(serde_json::json!({"name": "prod"})), "");
    }

    #[test]
    fn wrong_fields_are_named() {
        let cases = [
            (serde_json::json!({"name": "Prod"}), "name"),
            (serde_json::json!({"name": "p", "timezone": "Mars/Olympus"}), "timezone"),
            (serde_json::json!({"name": "p", "gates": [{"type": "approval"}, {"type": "approval"}]}), "gates"),
            (serde_json::json!({"name": "p", "promotesFrom": {"minimum": 1}}), "promotes_from"),
            (serde_json::json!({"name": "p", "variables": {"A B": "x"}}), "variables"),
            (serde_json::json!({"name": "p", "scopedVariables": [{"targetLabels": {}, "variables": {}}]}), "scoped"),
            (serde_json::json!({"name": "p", "secretRefs": [{"name": "A"}, {"name": "A"}]}), "secret_refs"),
            (serde_json::json!({"name": "p", "strategy": {"type": "all_at_once", "watchSeconds": 90000}}), "strategy"),
            (serde_json::json!({"name": "p", "displayName": "x".repeat(201)}), "display_name"),
        ];
        for (json, field) in cases {
            let said = complaints(json.clone());
            assert!(said.contains(field), "{json}: {said:?}");
        }
    }

    #[test]
    fn unknown_fields_are_refused_at_every_depth() {
        for json in [
            r#"{"name":"p","colour":"red"}"#,
            r#"{"name":"p","promotesFrom":{"minimun":1}}"#,
            r#"{"name":"p","gates":[{"type":"soak_time","seconds":1}]}"#,
            r#"{"name":"p","gates":[{"type":"no_such_gate"}]}"#,
            r#"{"name":"p","strategy":{"type":"rolling","batchSize":1,"batch":2}}"#,
            r#"{"name":"p","strategy":{"type":"all_at_once","offlineTargets":{"policy":"skip","waitSeconds":1}}}"#,
        ] {
            assert!(serde_json::from_str::<EnvironmentBody>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let input: SecretInput = serde_json::from_str(r#"{"name":"A","value":"hunter2"}"#).unwrap();
        assert!(!format!("{input:?}").contains("hunter2"));
    }
}
