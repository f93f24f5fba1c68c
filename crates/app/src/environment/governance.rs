//! The rules of an environment are guarded: what decides about promotions changes only by a holder of
//! `governance:change` there, with a reason.

use plimsoll_core::{
    Error, ErrorCode, Result,
    environment::Environment,
    id::{EnvironmentId, TypedId},
    permission::Permission,
};
use serde_json::{Map, Value, json};

use crate::{Caller, Notes};

/// The fields that decide about promotions, as the API names them, with their values.
fn rules(environment: &Environment) -> Result<Map<String, Value>> {
    let rules = json!({
        "gates": environment.gates,
        "promotesFrom": environment.promotes_from,
        "approvalPolicyId": environment.approval_policy_id,
        "soakSeconds": environment.soak_seconds,
    });
    match rules {
        Value::Object(rules) => Ok(rules),
        _ => Err(Error::internal_defect("the rules of an environment are no object")),
    }
}

/// Refuses a change of the rules by whoever may not make it or gives no reason; notes one that is allowed.
pub(super) fn check(
    caller: &Caller,
    before: &Environment,
    after: &Environment,
    reason: Option<&str>,
    notes: &mut Notes,
) -> Result<()> {
    let (old, new) = (rules(before)?, rules(after)?);
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
    let change = json!({ "reason": reason, "fields": changed, "before": pick(&old), "after": pick(&new) });
    notes.audit("governance_change", "environment", before.id, Some(change.clone()));
    notes.event("environment", before.id, None, "environment.rules_changed", change);
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
