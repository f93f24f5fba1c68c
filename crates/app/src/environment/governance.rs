//! The rules of an environment are guarded: what decides about promotions changes only by a holder of
//! `governance:change` there, with a reason, and each change leaves a packet.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, ErrorCode, Result,
    actor::Actor,
    canonical,
    environment::Environment,
    evidence_packet::{EvidenceType, predicate::GovernancePredicate},
    id::{ApprovalPolicyId, EnvironmentId, TypedId},
    label::Labels,
    permission::Permission,
    promotion::ApprovalPolicy,
};
use plimsoll_evidence::PredicateType;
use plimsoll_store::{Tx, approval_policy, promotion::note_rule_change};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{
    Caller, Notes,
    evidence::{self, Draft},
};

/// The fields that decide about promotions, as the API names them, with their values. Labels are one of them
/// where they decide which policies hold; `selects` are those that do.
fn rules(environment: &Environment, selects: Option<&[ApprovalPolicy]>) -> Result<Map<String, Value>> {
    let mut rules = json!({
        "gates": environment.gates,
        "promotesFrom": environment.promotes_from,
        "approvalPolicyId": environment.approval_policy_id,
        "soakSeconds": environment.soak_seconds,
    });
    if let Some(policies) = selects {
        let named: Vec<Value> = policies.iter().map(|one| json!({ "id": one.id, "name": one.name })).collect();
        rules["labels"] = json!({ "labels": environment.labels, "approvalPolicies": named });
    }
    match rules {
        Value::Object(rules) => Ok(rules),
        _ => Err(Error::internal_defect("the rules of an environment are no object")),
    }
}

/// Refuses a change of the rules by whoever may not make it or gives no reason; notes one that is allowed.
pub(super) fn check(
    tx: &mut Tx<'_>,
    caller: &Caller,
    before: &Environment,
    after: &Environment,
    reason: Option<&str>,
    notes: &mut Notes,
) -> Result<()> {
    let (old, new) = match chosen_by_labels(tx, before, after)? {
        None => (rules(before, None)?, rules(after, None)?),
        Some([held, holds]) => (rules(before, Some(&held))?, rules(after, Some(&holds))?),
    };
    let changed: Vec<&str> =
        new.iter().filter(|(name, value)| old.get(*name) != Some(*value)).map(|(name, _)| name.as_str()).collect();
    if changed.is_empty() {
        return Ok(());
    }
    if !caller.principal.grants.in_environment(Permission::GovernanceChange, before.id) {
        return Err(refusal(before.id, &changed));
    }
    let reason = reason.ok_or_else(|| reason_needed("reason"))?;
    let pick = |from: &Map<String, Value>| -> Map<String, Value> {
        changed.iter().filter_map(|name| Some(((*name).to_owned(), from.get(*name)?.clone()))).collect()
    };
    let (old, new) = (Value::Object(pick(&old)), Value::Object(pick(&new)));
    let change = json!({ "reason": reason, "fields": changed, "before": old, "after": new });
    notes.audit("governance_change", "environment", before.id, Some(change.clone()));
    notes.event("environment", before.id, None, "environment.rules_changed", change);
    let sealed =
        RuleChange { noun: "environment", id: before.id.uuid(), name: &before.name, reason, before: &old, after: &new };
    seal_change(tx, notes, caller, &[before.id], &sealed)
}

/// The policies in force before and after, if other labels make a difference to them.
fn chosen_by_labels(
    tx: &mut Tx<'_>,
    before: &Environment,
    after: &Environment,
) -> Result<Option<[Vec<ApprovalPolicy>; 2]>> {
    if before.labels == after.labels {
        return Ok(None);
    }
    let mut differ = |one: &Environment, labels: &Labels| -> Result<bool> {
        let other = Environment { labels: labels.clone(), ..one.clone() };
        Ok(ids(&approval_policy::in_force(tx, one)?) != ids(&approval_policy::in_force(tx, &other)?))
    };
    if !differ(before, &after.labels)? && !differ(after, &before.labels)? {
        return Ok(None);
    }
    Ok(Some([approval_policy::in_force(tx, before)?, approval_policy::in_force(tx, after)?]))
}

fn ids(policies: &[ApprovalPolicy]) -> Vec<ApprovalPolicyId> {
    policies.iter().map(|one| one.id).collect()
}

/// A change of what decides about promotions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RuleChange<'a> {
    /// What kind of thing was changed.
    pub(crate) noun: &'static str,
    /// Which one.
    pub(crate) id: Uuid,
    /// Its name, for people.
    pub(crate) name: &'a str,
    /// Why.
    pub(crate) reason: &'a str,
    /// What was; `null` when it is new.
    pub(crate) before: &'a Value,
    /// What is; `null` when it was removed.
    pub(crate) after: &'a Value,
}

/// Seals a packet for each environment that the change concerns, in the transaction that makes it, and notes
/// there who made it: they may not approve there for a while.
pub(crate) fn seal_change(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    environments: &[EnvironmentId],
    change: &RuleChange<'_>,
) -> Result<()> {
    for environment in environments {
        let says = GovernancePredicate {
            environment_id: *environment,
            resource: change.noun.to_owned(),
            resource_id: change.id,
            name: change.name.to_owned(),
            reason: change.reason.to_owned(),
            before: change.before.clone(),
            after: change.after.clone(),
            changed_by: Actor::from(&caller.principal),
            changed_at: notes.now(),
            request_id: caller.origin.request_id.clone(),
            operation: caller.operation.as_str().to_owned(),
        };
        // What the packet is about is the rule as it is now; of a removed one, as it was. Names are hashes in
        // it too: a digest over a name among known things would tell the name.
        let about = if change.after.is_null() { change.before } else { change.after };
        let about = canonical::digest(&evidence::hide(notes, about.clone()).says)?;
        let subjects = BTreeMap::from([(format!("{}/{}", change.noun, change.name), about)]);
        let kinds = (EvidenceType::GovernanceChange, PredicateType::GovernanceChange);
        let draft = Draft::new(notes, kinds, subjects, &says)?;
        let packet = evidence::seal(tx, notes, draft, |packet| packet.environment_id = Some(*environment))?;
        note_rule_change(tx, packet.uuid(), *environment, caller.principal.user, notes.now())?;
    }
    Ok(())
}

/// Whether the caller holds `governance:change` in the environment; else the refusal, naming `what`.
pub(crate) fn allowed(caller: &Caller, environment: EnvironmentId, what: &str) -> Result<()> {
    if caller.principal.grants.in_environment(Permission::GovernanceChange, environment) {
        return Ok(());
    }
    Err(refusal(environment, &[what]))
}

/// The error for a guarded change without a reason.
pub(crate) fn reason_needed(field: &str) -> Error {
    Error::field(field, "required", "say why: this changes what decides about promotions")
}

fn refusal(environment: EnvironmentId, fields: &[&str]) -> Error {
    let permission = Permission::GovernanceChange;
    Error::new(
        ErrorCode::PermissionDenied,
        format!(
            "changing {} in environment {environment} needs the permission {permission}; leave it as it is, or ask an administrator",
            fields.join(", ")
        ),
    )
    .details(json!({
        "permission": permission.as_str(),
        "environmentId": environment.uuid(),
        "fields": fields,
    }))
}
