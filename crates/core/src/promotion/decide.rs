//! The decision: every gate in order, deny wins. Pure, so that a replay of the sealed inputs gives the same.

use super::{
    Decision, DecisionInputs, DecisionOutcome, GateInForce, GateResult, GateVerdict,
    approval::{OVERRIDE_APPROVALS, override_approvers},
    gates,
};
use crate::{
    Timestamp,
    environment::{Environment, GateDefinition, GateType},
    error::{Error, ErrorCode, Result},
};

/// The version of the rules by which verdicts become an outcome.
pub const ENGINE_VERSION: u32 = 1;

/// The gates in force in `environment`: those listed, then those that its other settings imply. Nobody who
/// sets a soak time or a policy has to remember the gate.
#[must_use]
pub fn gates_in_force(environment: &Environment, has_policies: Policies) -> Vec<GateInForce> {
    let mut gates = environment.gates.clone();
    let implied = [
        (GateDefinition::ReleaseStatus {}, true),
        (GateDefinition::FreezeWindow {}, true),
        (GateDefinition::PromotionPath {}, !environment.promotes_from.environment_ids.is_empty()),
        (GateDefinition::SoakTime {}, environment.soak_seconds > 0),
        (GateDefinition::Approval {}, has_policies == Policies::Some),
    ];
    for (gate, wanted) in implied {
        if wanted && !gates.iter().any(|one| one.kind() == gate.kind()) {
            gates.push(gate);
        }
    }
    gates.into_iter().map(GateInForce::current).collect()
}

/// Whether approval policies are in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policies {
    /// At least one.
    Some,
    /// None.
    None,
}

/// Evaluates all gates for the sealed instant.
#[must_use]
pub fn evaluate(inputs: &DecisionInputs) -> Decision {
    evaluate_timed(inputs, || inputs.at)
}

/// As [`evaluate`], with a clock that tells how long each gate takes.
pub fn evaluate_timed(inputs: &DecisionInputs, mut clock: impl FnMut() -> Timestamp) -> Decision {
    let wanted = inputs.promotion.override_request.as_ref();
    let mut awaits_override = false;
    let mut results = Vec::with_capacity(inputs.gates.len());
    for gate in &inputs.gates {
        let begun = clock();
        let mut result = gates::look(gate, inputs);
        if wanted.is_some_and(|wish| wish.gates.contains(&result.gate)) && !passes(result.verdict) {
            awaits_override |= overrule(&mut result, inputs) == Overrule::Awaits;
        }
        result.took_micros = u64::try_from(clock().micros_since(begun)).unwrap_or_default();
        results.push(result);
    }
    let retry_at = results.iter().filter(|one| !passes(one.verdict)).filter_map(|one| one.retry_at).min();
    let outcome = outcome(inputs, &results, awaits_override);
    Decision {
        outcome,
        evaluated_at: inputs.at,
        gates: results,
        engine_version: ENGINE_VERSION,
        retry_at,
        subject_change: None,
    }
}

const fn passes(verdict: GateVerdict) -> bool {
    match verdict {
        GateVerdict::Pass | GateVerdict::Overridden => true,
        GateVerdict::Deny | GateVerdict::Pending | GateVerdict::Error => false,
    }
}

fn outcome(inputs: &DecisionInputs, results: &[GateResult], awaits_override: bool) -> DecisionOutcome {
    let wish = inputs.promotion.override_request.as_ref();
    let only_people = |one: &&GateResult| {
        let overridable = wish.is_some_and(|wish| wish.gates.contains(&one.gate));
        one.verdict == GateVerdict::Pending && (one.gate == GateType::Approval || (awaits_override && overridable))
    };
    let held: Vec<&GateResult> = results.iter().filter(|one| !passes(one.verdict)).collect();
    if !held.iter().all(only_people) {
        return DecisionOutcome::Blocked;
    }
    if !held.is_empty() {
        return DecisionOutcome::AwaitingApproval;
    }
    match inputs.promotion.scheduled_for {
        Some(at) if at > inputs.at => DecisionOutcome::Scheduled,
        Some(_) | None => DecisionOutcome::Approved,
    }
}

/// What became of the wish to override a gate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Overrule {
    Done,
    Awaits,
    Refused,
}

/// Marks a gate that does not pass as overridden when enough people answered for it; never as passed.
fn overrule(result: &mut GateResult, inputs: &DecisionInputs) -> Overrule {
    let Some(wish) = &inputs.promotion.override_request else { return Overrule::Refused };
    if result.gate == GateType::FreezeWindow && !exempted(inputs) {
        result.reason.push_str("; an override can be asked for only by those whom the window exempts");
        return Overrule::Refused;
    }
    if result.gate == GateType::ReleaseStatus && inputs.unprepared.is_some() {
        result.reason.push_str("; no override can help that");
        return Overrule::Refused;
    }
    let people = override_approvers(&inputs.approval, &inputs.promotion.subject_hash).len();
    if people >= OVERRIDE_APPROVALS {
        result.verdict = GateVerdict::Overridden;
        result.reason = format!("overridden by {people} people ({}); without it: {}", wish.reason, result.reason);
        return Overrule::Done;
    }
    result.verdict = GateVerdict::Pending;
    result.reason = format!(
        "an override was asked for ({}), with {people} of {OVERRIDE_APPROVALS} approvals by people who had no part in it; without it: {}",
        wish.reason, result.reason
    );
    Overrule::Awaits
}

/// Whether every active window lets the requester ask.
fn exempted(inputs: &DecisionInputs) -> bool {
    let who = &inputs.promotion;
    inputs.freeze_windows.iter().filter(|one| one.active.is_some()).all(|window| {
        window.exemptions.users.contains(&who.requested_by)
            || window.exemptions.roles.iter().any(|role| who.requester_roles.contains(role))
    })
}

/// Evaluates sealed inputs again and tells each difference to what was recorded; none is the proof. Fails
/// when the inputs need a newer program.
pub fn replay(inputs: &DecisionInputs, recorded: &Decision) -> Result<Vec<String>> {
    let newer = |what: String| Error::new(ErrorCode::RuleViolated, format!("{what}; replay it with a newer program"));
    if inputs.engine_version != ENGINE_VERSION {
        return Err(newer(format!("the decision was made by engine version {}", inputs.engine_version)));
    }
    for gate in &inputs.gates {
        let kind = gate.definition.kind();
        if gate.version == 0 || gate.version > gates::current_version(kind) {
            return Err(newer(format!("version {} of the gate {kind} is not known", gate.version)));
        }
    }
    Ok(differences(recorded, &evaluate(inputs)))
}

/// How two decisions differ, the time that gates took apart.
#[must_use]
pub fn differences(recorded: &Decision, now: &Decision) -> Vec<String> {
    let mut found = Vec::new();
    if recorded.outcome != now.outcome {
        found.push(format!("outcome: recorded {}, now {}", recorded.outcome, now.outcome));
    }
    if recorded.evaluated_at != now.evaluated_at {
        found.push(format!("evaluatedAt: recorded {}, now {}", recorded.evaluated_at, now.evaluated_at));
    }
    if recorded.gates.len() != now.gates.len() {
        found.push(format!("gates: recorded {}, now {}", recorded.gates.len(), now.gates.len()));
    }
    for (before, after) in recorded.gates.iter().zip(&now.gates) {
        let untimed = GateResult { took_micros: before.took_micros, ..after.clone() };
        if *before != untimed {
            found.push(format!(
                "gate {}: recorded {} ({}), now {} ({})",
                before.gate, before.verdict, before.reason, after.verdict, after.reason
            ));
        }
    }
    found
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
