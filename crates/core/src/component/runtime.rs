//! How a component's container runs, whatever its version.

use std::collections::BTreeMap;

use garde::Validate;
use serde::{Deserialize, Serialize};

pub use super::health::{Health, HealthCheck};
use crate::{component::limits, rules};

/// The runtime of a component. A release seals it; the order of values is in `release::values`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Runtime {
    /// Ports that the container listens on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 64), custom(limits::distinct_ports), dive)]
    pub ports: Vec<Port>,
    /// Environment variables; values may hold `${{ … }}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(custom(rules::variables))]
    pub environment: BTreeMap<String, String>,
    /// Volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 64), custom(limits::distinct_volumes), dive)]
    pub volumes: Vec<Volume>,
    /// Networks that the container joins; made and labelled when absent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 16), inner(custom(limits::network)))]
    pub networks: Vec<String>,
    /// How health is judged; without it the container must run for 10 s without a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(custom(super::health::check))]
    pub health: Option<Health>,
    /// Limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub resources: Option<Resources>,
    /// Seconds between the stop signal and the kill; 10 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(max = 3600))]
    pub stop_grace_seconds: Option<u32>,
    /// Replaces the image's command.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(custom(rules::command))]
    pub command: Option<Vec<String>>,
    /// Replaces the image's user.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 128), inner(custom(rules::plain)))]
    pub user: Option<String>,
    /// Further labels of the container.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(custom(rules::labels))]
    pub labels: BTreeMap<String, String>,
    /// Secrets given to the container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 64), custom(limits::distinct_secrets), dive)]
    pub secrets: Vec<SecretMount>,
    /// The restart policy after success; `unless-stopped` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub restart: Option<RestartPolicy>,
    /// Whether the new container starts beside the old one or in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub switch: Option<Switch>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Port {
    /// Inside the container.
    #[garde(custom(rules::port))]
    pub container: u16,
    /// On the host.
    #[serde(default)]
    #[garde(custom(limits::publish))]
    pub publish: Publish,
    /// The host address to bind, all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(custom(limits::bind))]
    pub bind: Option<String>,
    /// TCP when absent.
    #[serde(default)]
    #[garde(skip)]
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

impl Publish {
    /// Whether the port is on the host at all.
    #[must_use]
    pub const fn is_on_host(self) -> bool {
        match self {
            Self::Word(PublishWord::None) => false,
            Self::Word(PublishWord::Auto) | Self::Fixed(_) => true,
        }
    }
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    /// A named volume, or an absolute path on the host.
    #[garde(length(min = 1, max = 1024), custom(limits::volume_source))]
    pub source: String,
    /// Where in the container.
    #[garde(length(min = 1, max = 1024), custom(limits::absolute))]
    pub target: String,
    /// Whether the container may only read it.
    #[serde(default)]
    #[garde(skip)]
    pub read_only: bool,
    /// Whether two containers may never hold it at once (a database's data): forces `recreate`.
    #[serde(default)]
    #[garde(skip)]
    pub exclusive: bool,
    /// Whether it must exist already; we never make or delete an external one.
    #[serde(default)]
    #[garde(skip)]
    pub external: bool,
}

/// Limits of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Resources {
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 4_194_304))]
    pub memory_bytes: Option<u64>,
    /// Thousandths of a processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 1, max = 1_024_000))]
    pub cpu_millis: Option<u32>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 1, max = 4_194_304))]
    pub pids: Option<u32>,
}

/// One secret for a container. The value is never here, only where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretMount {
    /// The name of the environment's secret reference.
    #[garde(length(min = 1, max = 128), custom(rules::plain))]
    pub name: String,
    /// How the container sees it.
    #[serde(default, rename = "as")]
    #[garde(skip)]
    pub form: SecretForm,
    /// The variable or the absolute path; the secret's name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(custom(limits::secret_target(&self.form)))]
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
