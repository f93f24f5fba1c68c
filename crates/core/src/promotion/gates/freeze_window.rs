//! `freeze_window`: no freeze window is active.

use super::Finding;
use crate::promotion::{DecisionInputs, FreezeFacts, GateVerdict};

/// Windows that a verdict names; it counts the others.
const NAMED: usize = 5;

/// As [`v1`], with words of a length that is bounded, and without the windows once more beside the inputs.
pub(super) fn v2(inputs: &DecisionInputs) -> Finding {
    let windows = &inputs.freeze_windows;
    let active: Vec<&FreezeFacts> = windows.iter().filter(|one| one.active.is_some()).collect();
    let over = active.iter().filter_map(|one| one.active).map(|one| one.ends_at).max();
    let next = windows.iter().filter_map(|one| one.next).map(|one| one.starts_at).min();
    let named: Vec<_> = active.iter().take(NAMED).map(|one| one.id).collect();
    let data = serde_json::json!({
        "at": inputs.at, "active": active.len(), "activeIds": named, "until": over, "next": next,
    });
    if let Some((window, problem)) = windows.iter().find_map(|one| Some((one, one.problem.as_ref()?))) {
        let reason = format!("when the freeze window {:?} is active can't be told: {problem}", window.name);
        return Finding::new(GateVerdict::Error, reason, data);
    }
    let Some(over) = over else {
        let reason = match next {
            None => "no freeze window is active".to_owned(),
            Some(next) => format!("no freeze window is active; the next begins at {next}"),
        };
        return Finding::new(GateVerdict::Pass, reason, data).retry_at(next);
    };
    let mut each: Vec<String> =
        active.iter().take(NAMED).map(|one| format!("{:?} ({})", one.name, one.reason)).collect();
    if active.len() > NAMED {
        each.push(format!("{} more", active.len() - NAMED));
    }
    let reason = format!("frozen until {over} by {}", each.join(" and "));
    Finding::new(GateVerdict::Deny, reason, data).retry_at(Some(over))
}

pub(super) fn v1(inputs: &DecisionInputs) -> Finding {
    let data = serde_json::json!({ "at": inputs.at, "windows": inputs.freeze_windows });
    if let Some((window, problem)) = inputs.freeze_windows.iter().find_map(|one| Some((one, one.problem.as_ref()?))) {
        let reason = format!("when the freeze window {:?} is active can't be told: {problem}", window.name);
        return Finding::new(GateVerdict::Error, reason, data);
    }
    let active: Vec<&FreezeFacts> = inputs.freeze_windows.iter().filter(|one| one.active.is_some()).collect();
    let over = active.iter().filter_map(|one| one.active).map(|one| one.ends_at).max();
    match (active.as_slice(), over) {
        ([], _) | (_, None) => {
            let next = inputs.freeze_windows.iter().filter_map(|one| one.next).map(|one| one.starts_at).min();
            let reason = match next {
                None => "no freeze window is active".to_owned(),
                Some(next) => format!("no freeze window is active; the next begins at {next}"),
            };
            Finding::new(GateVerdict::Pass, reason, data).retry_at(next)
        }
        (windows, Some(over)) => {
            let each: Vec<String> = windows.iter().map(|one| format!("{:?} ({})", one.name, one.reason)).collect();
            let reason = format!("frozen until {over} by {}", each.join(" and "));
            Finding::new(GateVerdict::Deny, reason, data).retry_at(Some(over))
        }
    }
}
