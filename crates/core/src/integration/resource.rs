//! Integrations and their types, as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    Timestamp,
    id::{AgentId, IntegrationId},
    label::Labels,
    words::words,
};

/// A kind of outside system that we can talk to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationType {
    /// Its name in URLs, such as `oci_registry`.
    pub type_id: String,
    /// What it is for.
    pub category: Category,
    /// For people.
    pub name: String,
    /// What it reaches, in a sentence or two.
    pub description: String,
    /// A JSON Schema: forms are drawn from it and `config` is validated by it.
    pub config_schema: Value,
    /// The names of its secrets.
    pub secret_fields: Vec<String>,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// `builtin`, or `plugin:<id>`.
    pub provider: String,
}

/// What an integration is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Serves images.
    Registry,
    /// Holds source code.
    Scm,
    /// Builds.
    Ci,
    /// Holds secrets.
    Vault,
    /// Answers queries about measurements.
    Metrics,
    /// Tells people.
    Notification,
    /// Steers traffic.
    TrafficRouter,
    /// Holds change tickets.
    Ticketing,
}

words!(Category, "category", {
    Registry = "registry",
    Scm = "scm",
    Ci = "ci",
    Vault = "vault",
    Metrics = "metrics",
    Notification = "notification",
    TrafficRouter = "traffic_router",
    Ticketing = "ticketing",
});

/// What an integration can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = IntegrationCapability)]
pub enum Capability {
    /// Connect and say how that went.
    Test,
    /// List what is there.
    Discover,
    /// Turn a tag into a digest.
    ResolveDigest,
    /// List the tags of a repository.
    ListTags,
    /// Take calls from the other side.
    Webhook,
}

words!(Capability, "capability", {
    Test = "test",
    Discover = "discover",
    ResolveDigest = "resolve_digest",
    ListTags = "list_tags",
    Webhook = "webhook",
});

/// A connection to one outside system.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Integration {
    /// Its id.
    pub id: IntegrationId,
    /// A slug, unique in the tenant.
    pub name: String,
    /// What kind.
    pub type_id: String,
    /// As the type's schema says.
    #[schema(value_type = Object)]
    pub config: Map<String, Value>,
    /// Which secrets are set; values are never shown.
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretState>,
    /// Whether it is used at all.
    pub enabled: bool,
    /// The agent through which it is reached (reserved).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<AgentId>,
    /// As the last tests and probes found it.
    pub status: IntegrationStatus,
    /// When it was last tested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_tested_at: Option<Timestamp>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// How an integration does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationStatus {
    /// Never tested since it was made or changed.
    #[default]
    Unknown,
    /// It answers as it should.
    Healthy,
    /// It answers, but some checks fail.
    Degraded,
    /// It does not answer, or refuses us.
    Unhealthy,
}

words!(IntegrationStatus, "integration status", {
    Unknown = "unknown",
    Healthy = "healthy",
    Degraded = "degraded",
    Unhealthy = "unhealthy",
});

/// What a read shows of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretState {
    /// Whether there is a value.
    pub set: bool,
    /// When it was last set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// Where the value is read from at use, when it is a reference (`vault:<integrationId>/<path>#<key>`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// How a test of a connection went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// Whether all checks passed.
    pub ok: bool,
    /// Milliseconds for all of it.
    pub latency_ms: u64,
    /// What was looked at, in that order.
    pub checks: Vec<Check>,
}

/// One thing that a test looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// What, such as `name_resolution`, `tls`, `authentication`.
    pub name: String,
    /// Whether it passed.
    pub ok: bool,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// A page of what an outside system has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoverResult {
    /// What was found.
    pub items: Vec<DiscoveredItem>,
    /// Give it back to get the next page; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Something that an outside system has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DiscoveredItem {
    /// What it is: `repository`, `project`, `job`, `secret_path`, `metric`, `backend`.
    pub kind: String,
    /// Its name there.
    pub name: String,
    /// What the other side says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where a person can look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How an integration did of late.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationHealth {
    /// Now.
    pub status: IntegrationStatus,
    /// Since when it is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Milliseconds that the last probe took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// The last probes, newest first, at most 100.
    pub probes: Vec<Probe>,
}

/// One look at an integration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// When.
    pub at: Timestamp,
    /// Whether all was well.
    pub ok: bool,
    /// Milliseconds.
    pub latency_ms: u64,
    /// The first thing that was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
