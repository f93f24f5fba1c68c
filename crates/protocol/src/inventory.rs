//! Request bodies of targets, and of agents as people change them.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{
    ValidationError,
    id::{AgentId, EnvironmentId, IntegrationId},
    inventory::{AgentCopy, TargetType},
    label::{LabelSelector, Labels},
    name, rules,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The body of `POST /targets`.
pub type CreateTarget = TargetBody;
/// The body of `PUT /targets/{id}`.
pub type UpdateTarget = TargetBody;

/// What a caller may say about a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TargetBody {
    /// Where it belongs; can't be changed later.
    #[garde(skip)]
    pub environment_id: EnvironmentId,
    /// A slug, unique in the environment.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// Of which kind; can't be changed later.
    #[serde(rename = "type")]
    #[garde(skip)]
    pub kind: TargetType,
    /// How it is reached, by type.
    #[serde(default = "empty")]
    #[garde(skip)]
    pub connection: Value,
    /// The agent that acts on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub agent_id: Option<AgentId>,
    /// Or the labels by which an agent is chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub agent_selector: Option<LabelSelector>,
    /// Labels.
    #[serde(default)]
    #[garde(custom(rules::labels))]
    pub labels: Labels,
    /// Whether deployments skip it.
    #[serde(default)]
    #[garde(skip)]
    pub maintenance: bool,
    /// How its engine reaches a registry: `host[:port][/prefix]` by integration.
    #[serde(default)]
    #[schema(value_type = BTreeMap<String, String>)]
    #[garde(length(max = 64), custom(check_mirrors))]
    pub registry_mirrors: BTreeMap<IntegrationId, String>,
    /// Containers that may be taken over: container's name by component's name.
    #[serde(default)]
    #[garde(length(max = 64), custom(check_adopt))]
    pub adopt: BTreeMap<String, String>,
}

/// The body of `PUT /agents/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateAgent {
    /// For people, unique in the tenant.
    #[garde(length(min = 1, max = 63), custom(rules::plain))]
    pub name: String,
    /// Labels.
    #[serde(default)]
    #[garde(custom(rules::labels))]
    pub labels: Labels,
    /// Whether it may work.
    #[serde(default = "yes")]
    #[garde(skip)]
    pub enabled: bool,
}

/// The body of `POST /agents/{id}/unlock`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UnlockAgent {
    /// Which of the two hosts stays the agent. The other one locks it again if it still runs.
    #[garde(skip)]
    pub keep: AgentCopy,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

fn empty() -> Value {
    Value::Object(serde_json::Map::new())
}

const fn yes() -> bool {
    true
}

fn check_mirrors(mirrors: &BTreeMap<IntegrationId, String>, (): &()) -> garde::Result {
    for mirror in mirrors.values() {
        let (host, prefix) = mirror.split_once('/').map_or((mirror.as_str(), None), |(host, path)| (host, Some(path)));
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'[' | b']');
        let in_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'/');
        let good = mirror.len() <= 255
            && !host.is_empty()
            && host.bytes().all(known)
            && prefix.is_none_or(|path| {
                path.bytes().all(in_path) && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
            });
        rules::ensure(good, "must be host[:port][/prefix] without a scheme, such as mirror.local:5000/hub")?;
    }
    Ok(())
}

fn check_adopt(adopt: &BTreeMap<String, String>, (): &()) -> garde::Result {
    let container = |name: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        !name.is_empty() && name.len() <= 255 && name.bytes().all(known)
    };
    let good = adopt.iter().all(|(component, one)| name::check_slug("", component).is_ok() && container(one));
    rules::ensure(good, "must be a container's name by a component's name")
}

impl TargetBody {
    /// What the schema of the type's connection can't tell: each wrong field with its path.
    #[must_use]
    pub fn wrong(&self) -> Vec<ValidationError> {
        let mut wrong = Vec::new();
        if self.agent_id.is_some() && self.agent_selector.is_some() {
            wrong.push(ValidationError::new("agentSelector", "conflict", "give agentId or agentSelector, not both"));
        }
        let told =
            |name: &str, code: &str, message: &str| ValidationError::new(format!("connection.{name}"), code, message);
        for (name, value) in self.connection.as_object().into_iter().flatten() {
            let one = match (name.as_str(), value) {
                ("type", _) => Some(told(name, "unknown_field", "the type stands beside the connection")),
                ("socket" | "deploymentDirectory", Value::String(path)) if !is_path(path) => {
                    Some(told(name, "path", "must be an absolute path of at most 1024 bytes"))
                }
                ("uid" | "gid", Value::Number(number)) if number.as_u64() == Some(0) => {
                    Some(told(name, "forbidden", "processes never run as root; give another number than 0"))
                }
                _ => None,
            };
            wrong.extend(one);
        }
        wrong
    }
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.len() <= 1024 && !path.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    fn body(extra: serde_json::Value) -> TargetBody {
        let mut json = serde_json::json!({"environmentId": ENVIRONMENT, "name": "web-1", "type": "docker_host"});
        json.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn every_wrong_field_has_its_path() {
        for (extra, fields) in [
            (serde_json::json!({"connection": {"socket": "/run/podman.sock"}}), vec![]),
            (
                serde_json::json!({"connection": {"socket": "x", "deploymentDirectory": "y"}}),
                vec!["connection.deploymentDirectory", "connection.socket"],
            ),
            (serde_json::json!({"connection": {"type": "process_host"}}), vec!["connection.type"]),
            (serde_json::json!({"connection": {"uid": 0, "gid": 0}}), vec!["connection.gid", "connection.uid"]),
            (serde_json::json!({"agentId": ENVIRONMENT, "agentSelector": {}}), vec!["agentSelector"]),
        ] {
            let mut found: Vec<String> = body(extra.clone()).wrong().into_iter().map(|one| one.field).collect();
            found.sort();
            assert_eq!(found, fields, "{extra}");
        }
    }

    #[test]
    fn a_mirror_is_a_host_and_a_prefix() {
        for (mirror, good) in [
            ("mirror.local:5000/hub", true),
            ("10.0.0.1:5000", true),
            ("[::1]:5000", true),
            ("https://mirror.local", false),
            ("mirror/../x", false),
            ("", false),
            ("user@mirror", false),
        ] {
            let one = body(serde_json::json!({"registryMirrors": {ENVIRONMENT: mirror}}));
            assert_eq!(one.validate().is_ok(), good, "{mirror}");
        }
    }
}
