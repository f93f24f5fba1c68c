//! `promotion_path`: the release was deployed in the environments before, and not rolled back since.

use super::{Finding, listed};
use crate::promotion::{DecisionInputs, GateVerdict, PredecessorFacts};

pub(super) fn v1(inputs: &DecisionInputs) -> Finding {
    let from = &inputs.environment.promotes_from;
    let required = from.required();
    let data = serde_json::json!({ "required": required, "predecessors": inputs.predecessors });
    if required == 0 {
        return Finding::new(GateVerdict::Pass, "no environment comes before this one", data);
    }
    let (passed, missing): (Vec<_>, Vec<_>) = inputs.predecessors.iter().partition(|one| has_passed(one));
    if passed.len() >= required {
        return Finding::new(GateVerdict::Pass, format!("deployed in {}", names(&passed)), data);
    }
    let coming = missing.iter().filter(|one| one.in_progress.is_some()).count();
    let verdict = if passed.len() + coming >= required { GateVerdict::Pending } else { GateVerdict::Deny };
    let each: Vec<String> = missing.iter().map(|one| shortcoming(one)).collect();
    let reason = format!("passed {} of {required} environments that come before: {}", passed.len(), each.join("; "));
    Finding::new(verdict, reason, data)
}

/// Deployed there and not rolled back since.
pub(super) fn has_passed(one: &PredecessorFacts) -> bool {
    one.deployed_at.is_some_and(|deployed| one.rolled_back_at.is_none_or(|back| back < deployed))
}

fn shortcoming(one: &PredecessorFacts) -> String {
    match (one.in_progress, one.deployed_at, one.rolled_back_at) {
        (Some(_), _, _) => format!("it is being deployed in {} now", one.name),
        (None, Some(_), Some(back)) => format!("it was rolled back in {} at {back}", one.name),
        (None, _, _) => format!("it was never deployed in {}; promote it there first", one.name),
    }
}

fn names(some: &[&PredecessorFacts]) -> String {
    listed(&some.iter().map(|one| one.name.as_str()).collect::<Vec<_>>())
}
