//! How a component's container runs, whatever its version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The runtime of a component. A release seals it; the order of values is in `release::values`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Runtime {
    /// Ports that the container listens on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Environment variables; values may hold `${{ … }}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// Volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Networks that the container joins; made and labelled when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// How health is judged; without it the container must run for 10 s without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// Limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    /// Seconds between the stop signal and the kill; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_grace_seconds: Option<u32>,
    /// Replaces the image's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Replaces the image's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Further labels of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Secrets given to the container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretMount>,
    /// The restart policy after success; `unless-stopped` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<RestartPolicy>,
    /// Whether the new container starts beside the old one or in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<Switch>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// Inside the container.
    pub container: u16,
    /// On the host.
    #[serde(default)]
    pub publish: Publish,
    /// The host address to bind, all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bind: Option<String>,
    /// TCP when absent.
    #[serde(default)]
    pub protocol: Protocol,
}

/// How a port appears on the host: `"none"`, `"auto"` or a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum Publish {
    /// Not at all, or on a port that the engine chooses.
    Word(PublishWord),
    /// On this port, which only one container can hold.
    Fixed(u16),
}

impl Default for Publish {
    fn default() -> Self {
        Self::Word(PublishWord::None)
    }
}

/// The words for [`Publish`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PublishWord {
    /// Not on the host.
    None,
    /// On a free port that the engine chooses; it is reported in the target's endpoints.
    Auto,
}

/// The transport.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// One volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// A named volume, or an absolute path on the host.
    pub source: String,
    /// Where in the container.
    pub target: String,
    /// Whether the container may only read it.
    #[serde(default)]
    pub read_only: bool,
    /// Whether two containers may never hold it at once (a database's data): forces `recreate`.
    #[serde(default)]
    pub exclusive: bool,
    /// Whether it must exist already; we never make or delete an external one.
    #[serde(default)]
    pub external: bool,
}

/// How health is judged, by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Health {
    /// What is asked.
    #[serde(flatten)]
    pub check: HealthCheck,
    /// Failures before this many seconds do not count.
    #[serde(default)]
    pub start_period_seconds: u32,
    /// Between two checks.
    #[serde(default = "five")]
    pub interval_seconds: u32,
    /// For one check.
    #[serde(default = "five")]
    pub timeout_seconds: u32,
    /// Failures in a row that make it unhealthy.
    #[serde(default = "three")]
    pub retries: u32,
    /// How long it must stay healthy.
    #[serde(default = "ten")]
    pub healthy_for_seconds: u32,
    /// Not healthy by then is failed.
    #[serde(default = "three_hundred")]
    pub deadline_seconds: u32,
}

const fn five() -> u32 {
    5
}
const fn three() -> u32 {
    3
}
const fn ten() -> u32 {
    10
}
const fn three_hundred() -> u32 {
    300
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum HealthCheck {
    /// The engine's own verdict of the image's HEALTHCHECK.
    Docker,
    /// A GET answered with 200-399.
    Http {
        /// The container's port.
        port: u16,
        /// The path, beginning with `/`.
        path: String,
    },
    /// A connection that is accepted.
    Tcp {
        /// The container's port.
        port: u16,
    },
    /// A command in the container that exits with 0.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// Limits of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resources {
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_millis: Option<u32>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u32>,
}

/// One secret for a container. The value is never here, only where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretMount {
    /// The name of the environment's secret reference.
    pub name: String,
    /// How the container sees it.
    #[serde(default, rename = "as")]
    pub form: SecretForm,
    /// The variable or the absolute path; the secret's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// How a container sees a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretForm {
    /// An environment variable; the engine keeps it and shows it in `inspect`.
    #[default]
    Env,
    /// A file with mode 0400.
    File,
}

/// What the engine does when the container ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestartPolicy {
    /// Nothing.
    No,
    /// Start it again if it failed.
    OnFailure,
    /// Start it again always.
    Always,
    /// Start it again unless somebody stopped it.
    #[default]
    UnlessStopped,
}

/// How the new container takes the old one's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Switch {
    /// Stop the old one, then start the new one: there is a gap, which is measured.
    Recreate,
    /// Start the new one beside the old one; stop the old one when the new one is healthy.
    StartFirst,
}
