//! Asking a target's agent how the target does.

use plimsoll_core::{
    Error, Result, Timestamp,
    id::{TargetId, TypedId},
    inventory::{ContainerHealth, EngineHealth, HealthReport, Target, TargetStatus, TargetType},
};
use plimsoll_protocol::agent::{
    observe::{ObserveKind, RunState, RunningComponent, TargetObservation},
    report::HealthVerdict,
};
use plimsoll_store::{Lock, observation, resource, target as rows};
use serde_json::json;

use crate::{App, Caller, Change, Reply};

/// How long an agent has for its answer.
const DEADLINE_SECONDS: u32 = 10;
/// Less free disk than this part of it is a shortage: images need room.
const DISK_PART: u64 = 20;

impl App {
    /// Asks now. An agent that does not answer is a report with `unreachable`, not an error.
    pub async fn target_health_check(&self, caller: &Caller, id: TargetId) -> Result<Reply> {
        let ask = async {
            let target = self.target_get(caller, id).await?;
            let seen =
                self.observe_target(caller.tenant(), &target, ObserveKind::HealthCheck, DEADLINE_SECONDS).await?;
            let last = match seen {
                Some(_) => None,
                None => self.last_sight(caller, id).await?,
            };
            let report = judge(&target, seen.as_ref(), last.as_ref(), self.context.now());
            Ok((report, seen))
        };
        self.ask_then(caller, ask, move |(report, seen), tx, notes| {
            tx.lock(&Lock::Target(id))?;
            let current: Target = resource::get(tx, id)?;
            let mut next = current.clone();
            (next.status, next.last_health_check_at) = (report.status, Some(report.checked_at));
            if let Some(seen) = seen.as_ref().filter(|seen| seen.error.is_none()) {
                next.endpoints = seen.running.iter().flat_map(|one| one.endpoints.iter().cloned()).collect();
            }
            // Whoever changed the target meanwhile keeps the change; the report is true all the same.
            if rows::observe(tx, &next)? && next.status != current.status {
                let data = json!({ "from": current.status, "to": next.status });
                notes.event("target", id, Some(next.environment_id.uuid()), "target.status_changed", data);
            }
            let before = resource::as_json(&current)?;
            let patch = plimsoll_core::audit::merge_patch(&before, &resource::as_json(&next)?);
            Ok(Change::done("target", id, &before, report.clone())?.with_patch(Some(patch)))
        })
        .await
    }
}

impl App {
    /// What was seen last of a target, and when.
    async fn last_sight(&self, caller: &Caller, id: TargetId) -> Result<Option<Sight>> {
        let kept = self.store.read(caller.scope(), "target_sight", move |tx| observation::sight(tx, id)).await?;
        kept.map(|(at, text)| {
            let seen = serde_json::from_str(&text)
                .map_err(|cause| Error::internal_defect(format!("a stored observation does not fit: {cause}")))?;
            Ok(Sight { at, seen })
        })
        .transpose()
    }
}

/// What was seen of a target some time ago.
struct Sight {
    at: Timestamp,
    seen: TargetObservation,
}

/// The report on what an agent saw; on its silence, with what was seen last and how long ago.
fn judge(target: &Target, seen: Option<&TargetObservation>, last: Option<&Sight>, now: Timestamp) -> HealthReport {
    let report = |status, problems| HealthReport {
        target_id: target.id,
        status,
        problems,
        checked_at: now,
        age_seconds: 0,
        engine: None,
        resources: None,
        containers: Vec::new(),
    };
    let Some(seen) = seen else {
        let problem = match (target.agent_id, &target.agent_selector) {
            (None, None) => "no agent serves this target; give it one with agentId".to_owned(),
            (None, Some(_)) => format!(
                "none of the agents that agentSelector chooses answered within {DEADLINE_SECONDS} s; see whether one has these labels, and whether its host is up"
            ),
            (Some(agent), _) => format!(
                "agent {agent} did not answer within {DEADLINE_SECONDS} s; see whether its host is up and it is running"
            ),
        };
        let silent = report(TargetStatus::Unreachable, vec![problem]);
        return match last {
            None => silent,
            Some(last) => HealthReport {
                age_seconds: now.seconds_since(last.at).max(0),
                ..showing(target.kind, &last.seen, silent)
            },
        };
    };
    let (status, problems) = verdict(seen);
    showing(target.kind, seen, report(status, problems))
}

/// The report with what was seen of engine, host and containers.
fn showing(kind: TargetType, seen: &TargetObservation, report: HealthReport) -> HealthReport {
    HealthReport {
        engine: engine(kind, seen),
        resources: Some(seen.resources),
        containers: seen.running.iter().map(container).collect(),
        ..report
    }
}

fn verdict(seen: &TargetObservation) -> (TargetStatus, Vec<String>) {
    if let Some(error) = &seen.error {
        return (TargetStatus::Unhealthy, vec![error.message.clone()]);
    }
    let mut problems: Vec<String> = seen
        .running
        .iter()
        .filter(|one| one.health == HealthVerdict::Unhealthy)
        .map(|one| match one.application.as_str() {
            "" => format!("{}, which {} is to take over, does not run; see its logs", one.name, one.component),
            application => format!("{} of {application} is unhealthy; see its logs", one.component),
        })
        .collect();
    let room = seen.resources;
    if room.disk_bytes > 0 && room.disk_free_bytes < room.disk_bytes / DISK_PART {
        problems.push("less than a twentieth of the disk is free; remove what is not needed".to_owned());
    }
    let ailing = seen.running.iter().filter(|one| one.health == HealthVerdict::Unhealthy).count();
    let status = match (ailing, problems.is_empty()) {
        (_, true) => TargetStatus::Healthy,
        (some, false) if some > 0 && some == seen.running.len() => TargetStatus::Unhealthy,
        (_, false) => TargetStatus::Degraded,
    };
    (status, problems)
}

fn engine(kind: TargetType, seen: &TargetObservation) -> Option<EngineHealth> {
    let error = seen.error.as_ref().map(|one| one.message.clone());
    match (&seen.engine, kind) {
        (Some(engine), TargetType::DockerHost | TargetType::ProcessHost) => Some(EngineHealth {
            reachable: error.is_none(),
            name: engine.name.clone(),
            version: Some(engine.version.clone()),
            error,
        }),
        (None, TargetType::DockerHost) => {
            Some(EngineHealth { reachable: false, name: "engine".to_owned(), version: None, error })
        }
        (None, TargetType::ProcessHost) => None,
    }
}

fn container(one: &RunningComponent) -> ContainerHealth {
    let state = match one.state {
        RunState::Created => "created",
        RunState::Running => "running",
        RunState::Restarting => "restarting",
        RunState::Exited => "exited",
    };
    let health = match one.health {
        HealthVerdict::Healthy => "healthy",
        HealthVerdict::Unhealthy => "unhealthy",
        HealthVerdict::None => "none",
        HealthVerdict::Unknown => "unknown",
    };
    ContainerHealth {
        name: one.name.clone(),
        application: one.application.clone(),
        component: one.component.clone(),
        state: state.to_owned(),
        health: health.to_owned(),
        restarts: one.restarts,
        running_digest: one.made_by_digest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(healths: &[&str], free: u64, error: bool) -> TargetObservation {
        let running: Vec<_> = healths
            .iter()
            .map(|health| {
                json!({
                    "application": "shop", "component": "api", "instance": 0, "name": "shop-api", "epoch": 1,
                    "state": "running", "health": health, "restarts": 0,
                })
            })
            .collect();
        let mut whole = json!({
            "targetId": "01890a5d-ac96-774b-bcce-b302099a8057", "at": "2026-01-01T00:00:00Z", "epoch": 1,
            "resources": {"diskBytes": 100, "diskFreeBytes": free}, "running": running,
        });
        if error {
            whole["error"] = json!({ "code": "engine_unreachable", "message": "the engine's socket is gone" });
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn a_verdict_has_its_reasons() {
        for (observed, status, problems) in [
            (seen(&[], 50, false), TargetStatus::Healthy, 0),
            (seen(&["healthy", "none"], 50, false), TargetStatus::Healthy, 0),
            (seen(&["healthy", "unhealthy"], 50, false), TargetStatus::Degraded, 1),
            (seen(&["unhealthy"], 50, false), TargetStatus::Unhealthy, 1),
            (seen(&["healthy"], 4, false), TargetStatus::Degraded, 1),
            (seen(&[], 50, true), TargetStatus::Unhealthy, 1),
        ] {
            let (found, said) = verdict(&observed);
            assert_eq!((found, said.len()), (status, problems), "{observed:?}");
        }
    }
}
