//! Request bodies of targets, and of agents as people change them.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{
    Error,
    id::{AgentId, EnvironmentId, IntegrationId},
    inventory::TargetType,
    label::{LabelSelector, Labels},
    name, rules,
};
use serde::{Deserialize, Serialize};

use crate::agent::host::Connection;

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
    pub connection: serde_json::Value,
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

fn empty() -> serde_json::Value {
    serde_json::Value::Object(serde_json::Map::new())
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
    /// The typed connection. A wrong field is an error that names it.
    pub fn connection(&self) -> plimsoll_core::Result<Connection> {
        let wrong = |message: String| Error::field("connection", "invalid", message);
        let serde_json::Value::Object(fields) = &self.connection else {
            return Err(wrong("must be an object".to_owned()));
        };
        if fields.contains_key("type") {
            return Err(Error::field("connection.type", "unknown_field", "the type stands beside the connection"));
        }
        let mut tagged = fields.clone();
        tagged.insert("type".to_owned(), self.kind.as_str().into());
        serde_json::from_value(tagged.into()).map_err(|cause| wrong(cause.to_string()))
    }

    /// Checks what a single field can't tell: an agent, or labels that choose one, and the connection.
    pub fn check(&self) -> plimsoll_core::Result<()> {
        if self.agent_id.is_some() && self.agent_selector.is_some() {
            return Err(Error::field("agentSelector", "conflict", "give agentId or agentSelector, not both"));
        }
        let paths = match self.connection()? {
            Connection::DockerHost(docker) => vec![docker.socket, docker.deployment_directory],
            Connection::ProcessHost(process) => {
                if process.uid == Some(0) || process.gid == Some(0) {
                    return Err(Error::field("connection.uid", "forbidden", "processes never run as root"));
                }
                vec![process.deployment_directory]
            }
        };
        let bad = |path: &String| !path.starts_with('/') || path.len() > 1024 || path.contains('\0');
        if paths.iter().flatten().any(bad) {
            return Err(Error::field("connection", "path", "paths must be absolute, at most 1024 bytes"));
        }
        Ok(())
    }
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
    fn a_connection_is_read_by_its_type() {
        let docker = body(serde_json::json!({"connection": {"socket": "/run/podman.sock"}}));
        assert!(docker.check().is_ok());
        assert!(matches!(docker.connection().unwrap(), Connection::DockerHost(one) if one.socket.is_some()));
        for wrong in [
            serde_json::json!({"connection": {"uid": 1000}}),
            serde_json::json!({"connection": {"socket": "relative"}}),
            serde_json::json!({"connection": {"type": "process_host"}}),
            serde_json::json!({"connection": []}),
            serde_json::json!({"type": "process_host", "connection": {"uid": 0}}),
            serde_json::json!({"agentId": ENVIRONMENT, "agentSelector": {}}),
        ] {
            assert!(body(wrong.clone()).check().is_err(), "{wrong}");
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
