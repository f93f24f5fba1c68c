//! Which agent acts on a target.

use super::{Agent, AgentStatus, Target};
use crate::{Digest, id::TypedId as _};

/// The agent that acts on `target`: the one that it names, or of those that its selector chooses the one
/// that is heard best. Several that are heard alike share the targets, and each keeps its own while the
/// agents stay the same. A disabled agent is never chosen by labels.
#[must_use]
pub fn agent_of<'a>(target: &Target, agents: &'a [Agent]) -> Option<&'a Agent> {
    if let Some(named) = target.agent_id {
        return agents.iter().find(|agent| agent.id == named);
    }
    let selector = target.agent_selector.as_ref()?;
    agents
        .iter()
        .filter(|agent| agent.enabled && selector.matches(&agent.labels))
        .min_by_key(|agent| (rank(agent.status), weight(target, agent)))
}

const fn rank(status: AgentStatus) -> u8 {
    match status {
        AgentStatus::Online => 0,
        AgentStatus::Degraded => 1,
        AgentStatus::Offline => 2,
        AgentStatus::Disabled => 3,
    }
}

/// Rendezvous hashing: an agent that comes or goes moves only the targets that are its own.
fn weight(target: &Target, agent: &Agent) -> Digest {
    let mut both = target.id.uuid().as_bytes().to_vec();
    both.extend_from_slice(agent.id.uuid().as_bytes());
    Digest::of(&both)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn id(number: u32) -> String {
        format!("01890a5d-ac96-774b-bcce-{number:012x}")
    }

    fn agent(number: u32, zone: &str, status: &str) -> Agent {
        serde_json::from_value(json!({
            "id": id(number), "name": number.to_string(), "hostname": "h", "version": "1", "protocolVersion": 1,
            "os": "linux", "arch": "amd64", "capabilities": [], "labels": {"zone": zone}, "status": status,
            "enabled": status != "disabled", "publicKeyFingerprint": "", "runningTasks": [], "revision": 1,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"
        }))
        .unwrap()
    }

    fn target(number: u32, more: Value) -> Target {
        let mut json = json!({
            "id": id(number), "environmentId": id(1), "name": "web", "type": "docker_host", "connection": {},
            "labels": {}, "status": "unknown", "maintenance": false, "running": [], "endpoints": [],
            "registryMirrors": {}, "adopt": {}, "revision": 1,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z"
        });
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    fn in_zone(number: u32, zone: &str) -> Target {
        target(number, json!({"agentSelector": {"matchLabels": {"zone": zone}}}))
    }

    fn chosen(target: &Target, agents: &[Agent]) -> Option<String> {
        agent_of(target, agents).map(|agent| agent.name.clone())
    }

    #[test]
    fn a_named_agent_is_taken_however_it_does() {
        let agents = [agent(2, "a", "online"), agent(3, "a", "disabled")];
        assert_eq!(chosen(&target(9, json!({"agentId": id(3)})), &agents), Some("3".to_owned()));
        assert_eq!(chosen(&target(9, json!({"agentId": id(4)})), &agents), None);
        assert_eq!(chosen(&target(9, json!({})), &agents), None);
    }

    #[test]
    fn a_selector_takes_the_one_that_is_heard_best() {
        let agents =
            [agent(2, "a", "offline"), agent(3, "a", "degraded"), agent(4, "b", "online"), agent(5, "a", "disabled")];
        assert_eq!(chosen(&in_zone(9, "a"), &agents), Some("3".to_owned()));
        assert_eq!(chosen(&in_zone(9, "b"), &agents), Some("4".to_owned()));
        assert_eq!(chosen(&in_zone(9, "c"), &agents), None);
        assert_eq!(chosen(&in_zone(9, "a"), &agents[..1]), Some("2".to_owned()));
        assert_eq!(chosen(&in_zone(9, "a"), &agents[3..]), None);
    }

    #[test]
    fn agents_share_targets_and_one_that_goes_moves_its_own_alone() {
        let agents: Vec<Agent> = (2..5).map(|number| agent(number, "a", "online")).collect();
        let targets: Vec<Target> = (100..160).map(|number| in_zone(number, "a")).collect();
        for one in &agents {
            let share = targets.iter().filter(|target| chosen(target, &agents).as_ref() == Some(&one.name)).count();
            assert!(share > 5, "{share} of {}", targets.len());
        }
        let fewer = &agents[..2];
        for target in &targets {
            let before = chosen(target, &agents);
            if before != Some("4".to_owned()) {
                assert_eq!(chosen(target, fewer), before);
            }
        }
    }
}
