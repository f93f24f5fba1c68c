//! A release's changes to a component's runtime.

use std::collections::BTreeMap;

use garde::Validate;
use serde::{Deserialize, Serialize};

use crate::{
    component::{
        limits,
        runtime::{Health, Port, Resources, RestartPolicy, Runtime, SecretMount, Switch, Volume},
    },
    rules,
};

/// A partial [`Runtime`]: what is present replaces; `environment` and `labels` merge by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RuntimePatch {
    /// Replaces all ports.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 64), custom(rules::if_set(limits::distinct_ports)), dive)]
    pub ports: Option<Vec<Port>>,
    /// Added to the component's variables; the same name replaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(custom(rules::variables))]
    pub environment: BTreeMap<String, String>,
    /// Replaces all volumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 64), custom(rules::if_set(limits::distinct_volumes)), dive)]
    pub volumes: Option<Vec<Volume>>,
    /// Replaces all networks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 16), inner(inner(custom(limits::network))))]
    pub networks: Option<Vec<String>>,
    /// Replaces the health check.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(custom(super::health::check))]
    pub health: Option<Health>,
    /// Replaces all limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub resources: Option<Resources>,
    /// Replaces the grace between the stop signal and the kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(max = 3600))]
    pub stop_grace_seconds: Option<u32>,
    /// Replaces the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(custom(rules::command))]
    pub command: Option<Vec<String>>,
    /// Replaces the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 128), inner(custom(rules::plain)))]
    pub user: Option<String>,
    /// Added to the component's container labels; the same name replaces.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(custom(rules::labels))]
    pub labels: BTreeMap<String, String>,
    /// Replaces all secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 64), custom(rules::if_set(limits::distinct_secrets)), dive)]
    pub secrets: Option<Vec<SecretMount>>,
    /// Replaces the restart policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub restart: Option<RestartPolicy>,
    /// Replaces the switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub switch: Option<Switch>,
}

impl RuntimePatch {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Runtime {
    /// This runtime with a release's configuration put over it.
    #[must_use]
    pub fn merged(&self, patch: &RuntimePatch) -> Self {
        let RuntimePatch {
            ports,
            environment,
            volumes,
            networks,
            health,
            resources,
            stop_grace_seconds,
            command,
            user,
            labels,
            secrets,
            restart,
            switch,
        } = patch.clone();
        let base = self.clone();
        let over = |mut below: BTreeMap<String, String>, above| {
            below.extend::<BTreeMap<_, _>>(above);
            below
        };
        Self {
            ports: ports.unwrap_or(base.ports),
            environment: over(base.environment, environment),
            volumes: volumes.unwrap_or(base.volumes),
            networks: networks.unwrap_or(base.networks),
            health: health.or(base.health),
            resources: resources.or(base.resources),
            stop_grace_seconds: stop_grace_seconds.or(base.stop_grace_seconds),
            command: command.or(base.command),
            user: user.or(base.user),
            labels: over(base.labels, labels),
            secrets: secrets.unwrap_or(base.secrets),
            restart: restart.or(base.restart),
            switch: switch.or(base.switch),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_present_replaces_and_maps_merge_by_key() {
        let base = json!({
            "ports": [{"container": 80}], "environment": {"A": "1", "B": "2"}, "networks": ["back"],
            "volumes": [{"source": "data", "target": "/data"}], "labels": {"team": "a"}, "command": ["serve"],
            "user": "app", "stopGraceSeconds": 5, "restart": "always", "switch": "recreate",
            "health": {"type": "docker"}, "resources": {"pids": 10}, "secrets": [{"name": "TOKEN"}],
        });
        let base: Runtime = serde_json::from_value(base).unwrap();
        let merged = |patch: serde_json::Value| {
            let patch: RuntimePatch = serde_json::from_value(patch).unwrap();
            serde_json::to_value(base.merged(&patch)).unwrap()
        };
        assert_eq!(merged(json!({})), serde_json::to_value(&base).unwrap());
        assert_eq!(
            merged(json!({"environment": {"B": "3", "C": "4"}}))["environment"],
            json!({"A": "1", "B": "3", "C": "4"})
        );
        assert_eq!(merged(json!({"labels": {"tier": "1"}}))["labels"], json!({"team": "a", "tier": "1"}));
        assert!(merged(json!({"ports": []})).get("ports").is_none(), "an empty list replaces too");
        for (field, value) in [
            ("ports", json!([{"container": 81, "publish": "none", "protocol": "tcp"}])),
            ("networks", json!(["front"])),
            ("command", json!(["other"])),
            ("user", json!("root")),
            ("stopGraceSeconds", json!(9)),
            ("restart", json!("no")),
            ("switch", json!("start_first")),
            ("resources", json!({"cpuMillis": 500})),
            ("secrets", json!([{"name": "KEY", "as": "env"}])),
        ] {
            let mut expected = serde_json::to_value(&base).unwrap();
            expected[field] = value.clone();
            assert_eq!(merged(json!({ field: value })), expected, "{field}");
        }
        assert_eq!(merged(json!({"health": {"type": "tcp", "port": 80}}))["health"]["type"], "tcp");
        assert_eq!(merged(json!({"volumes": [{"source": "b", "target": "/b"}]}))["volumes"][0]["source"], "b");
    }
}
