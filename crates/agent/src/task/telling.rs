//! What a task says of itself: its first and last line, and what of its result doesn't come from the target.

use plimsoll_core::deployment::Remains;
use plimsoll_protocol::agent::{
    order::TaskOrder,
    report::{ComponentResult, HealthVerdict, StepKind, TaskOutcome, TaskResult},
};

use super::machine::{End, Machine, SetState};

/// What is left of a task that did not succeed.
pub(super) const fn remains(end: &End) -> Option<Remains> {
    match (end.outcome, end.set) {
        (TaskOutcome::Succeeded | TaskOutcome::Unknown, _) | (_, SetState::New) => None,
        (_, SetState::Old) => Some(Remains::Restored),
        (_, SetState::Broken) => Some(Remains::Changed),
    }
}

/// The components of a task whose target could not be looked at in the end.
pub(super) fn unseen(machine: &Machine) -> Vec<ComponentResult> {
    let order = machine.order();
    let wanted = order.spec.iter().flat_map(|spec| &spec.components);
    wanted
        .map(|component| ComponentResult {
            component_id: Some(component.component_id),
            component: component.name.clone(),
            from_digest: machine
                .plan()
                .before
                .iter()
                .find(|old| old.component == component.name)
                .and_then(|old| old.digest),
            to_digest: Some(component.image.digest),
            running_digest: None,
            endpoints: Vec::new(),
            downtime_ms: machine.downtime_ms(&component.name),
            health: HealthVerdict::Unknown,
        })
        .collect()
}

pub(super) fn opening(order: &TaskOrder) -> String {
    match &order.spec {
        Some(spec) if !spec.components.is_empty() => {
            format!("brings {}@{} to {}", order.application, spec.release_version, order.target.name)
        }
        Some(_) | None => format!("removes {} from {}", order.application, order.target.name),
    }
}

pub(super) fn closing(result: &TaskResult) -> String {
    match &result.error {
        None => "done".to_owned(),
        Some(error) => format!("ended: {error}"),
    }
}

pub(super) fn word(step: StepKind) -> String {
    serde_json::to_value(step).ok().and_then(|word| word.as_str().map(ToOwned::to_owned)).unwrap_or_default()
}
