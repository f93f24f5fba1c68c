//! The deployment spec of a target: all that an agent needs to bring one application to one release
//! there, with every value resolved and no secret in it. Made and hashed at the request, kept with the
//! job; drift compares with it and a rollback puts it back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    component::Runtime,
    id::{ComponentId, EnvironmentId, IntegrationId, ReleaseId, TargetId, TenantId, VersionId},
};

/// What a target runs of one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentSpec {
    /// Whose.
    pub tenant_id: TenantId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// On which target.
    pub target_id: TargetId,
    /// The unit that runs.
    pub application: String,
    /// Which release.
    pub release_id: ReleaseId,
    /// Its version, for people.
    pub release_version: String,
    /// The release's digest.
    pub release_digest: Digest,
    /// The components in the order in which they come up.
    pub components: Vec<ComponentSpec>,
}

/// One component on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSpec {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name, part of the container's.
    pub name: String,
    /// Which version.
    pub version_id: VersionId,
    /// The tag, for people only: nothing is pulled by it.
    pub tag: String,
    /// What is pulled, and from where.
    pub image: ImageSource,
    /// What the running container may identify itself with.
    pub expected: DigestChain,
    /// How it runs, with every `${{ … }}` resolved.
    pub runtime: Runtime,
    /// Containers of it on this target.
    pub instances: u16,
    /// Components that must be healthy on the same target first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ComponentId>,
}

/// Where an image is pulled from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ImageSource {
    /// The registry's integration, whose credentials the agent may ask for.
    pub integration_id: IntegrationId,
    /// `host[:port]` as this target reaches it (its mirror, if it names one).
    pub registry: String,
    /// Whether it speaks plain HTTP.
    #[serde(default)]
    pub insecure: bool,
    /// The repository, with the mirror's prefix.
    pub repository: String,
    /// The digest of the index or manifest, as promoted.
    pub digest: Digest,
    /// Whether the registry wants credentials, and may be told them: a mirror only if the integration trusts it.
    #[serde(default)]
    pub authenticated: bool,
    /// How large the image is for the target's platform, as its registry packs it; what runs does not depend on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
}

impl ImageSource {
    /// The reference by which an engine pulls: always by digest.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}/{}@{}", self.registry, self.repository, self.digest)
    }
}

/// The digests that one image goes by on one platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DigestChain {
    /// Of the index, or of the manifest where there is no index.
    pub index: Digest,
    /// Of the platform's manifest.
    pub manifest: Digest,
    /// Of the image's configuration: what Docker calls the image id.
    pub config: Digest,
}

impl DigestChain {
    /// Whether `seen` (an image id, or the digest that a container was made by) is this image.
    #[must_use]
    pub fn contains(&self, seen: &Digest) -> bool {
        [self.index, self.manifest, self.config].contains(seen)
    }
}

/// A published port of a running container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// Which component.
    pub component: String,
    /// The container's port.
    pub container_port: u16,
    /// The host's address and port.
    pub address: String,
}

/// The labels by which a container says whose it is.
pub mod label {
    /// Prefix of all of ours.
    pub const PREFIX: &str = "plimsoll.";
    /// Tenant id.
    pub const TENANT: &str = "plimsoll.tenant";
    /// Environment id.
    pub const ENVIRONMENT: &str = "plimsoll.environment";
    /// Target id.
    pub const TARGET: &str = "plimsoll.target";
    /// Application name.
    pub const APPLICATION: &str = "plimsoll.application";
    /// Component name.
    pub const COMPONENT: &str = "plimsoll.component";
    /// Which of the component's instances, from 0.
    pub const INSTANCE: &str = "plimsoll.instance";
    /// Release id.
    pub const RELEASE: &str = "plimsoll.release";
    /// Task id.
    pub const TASK: &str = "plimsoll.task";
    /// The target's epoch when it was made.
    pub const EPOCH: &str = "plimsoll.epoch";
    /// SHA-256 of the component's spec.
    pub const SPEC_HASH: &str = "plimsoll.spec-hash";
}

/// Variables that a target's spec was resolved with, each with its source: what preview shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedValue {
    /// The value after substitution.
    pub value: String,
    /// Which layer it came from.
    pub source: ValueSource,
}

/// The layers of values, weakest first (releases.md, "Order of values").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueSource {
    /// The component's runtime.
    ComponentRuntime,
    /// The release's variables.
    ReleaseVariables,
    /// The release's configuration of one component.
    ReleaseComponentConfig,
    /// The environment's variables.
    EnvironmentVariables,
    /// The environment's variables for targets with certain labels.
    ScopedVariables,
    /// The promotion's variables.
    PromotionVariables,
}

/// Resolved variables by name.
pub type ResolvedValues = BTreeMap<String, ResolvedValue>;
