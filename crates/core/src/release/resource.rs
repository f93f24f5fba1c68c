//! Releases, as the API shows them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Timestamp,
    component::RuntimePatch,
    id::{ComponentId, EnvironmentId, JobId, PromotionId, ReleaseId, UserId, VersionId},
    label::Labels,
    words::words,
};

/// Variables by name.
pub type Variables = BTreeMap<String, String>;

/// The whole set of one application's components, each at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// The application, a slug.
    pub name: String,
    /// Unique within the application: `shop@2.4.1` names one release.
    pub version: String,
    /// How far it is; where it runs is in its state.
    pub status: ReleaseStatus,
    /// What is in it, in the order in which it comes up.
    pub components: Vec<ReleaseComponent>,
    /// Variables for all components.
    #[serde(default, skip_serializing_if = "Variables::is_empty")]
    pub variables: Variables,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ReleaseSource>,
    /// The channel, such as `stable`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// SHA-256 of the canonical JSON of what was sealed; absent for a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When it was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_at: Option<Timestamp>,
    /// Why it should not be used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<Deprecation>,
    /// Who made it.
    pub created_by: UserId,
    /// Everyone who made, edited or sealed it; none of them approves it under separation of duties.
    pub makers: Vec<UserId>,
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

impl Release {
    /// How people name it: `shop@2.4.1`.
    #[must_use]
    pub fn reference(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }
}

/// How far a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseStatus {
    /// Being put together; everything may change.
    Draft,
    /// Sealed; it can be promoted.
    Ready,
    /// Sealed, and not to be used any more.
    Deprecated,
}

words!(ReleaseStatus, "release status", {
    Draft = "draft",
    Ready = "ready",
    Deprecated = "deprecated",
});

/// One component of a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseComponent {
    /// Which.
    pub component_id: ComponentId,
    /// Its name.
    pub component: String,
    /// Which version.
    pub version_id: VersionId,
    /// The version's tag.
    pub tag: String,
    /// The version, read from the tag.
    pub version: String,
    /// What is deployed.
    pub digest: Digest,
    /// What this release changes in the component's runtime.
    #[serde(default, skip_serializing_if = "RuntimePatch::is_empty")]
    pub config: RuntimePatch,
}

/// Where a release came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReleaseSource {
    /// The source repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 2048), inner(custom(crate::rules::plain)))]
    pub repository: Option<String>,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 2048), inner(custom(crate::rules::plain)))]
    pub revision: Option<String>,
    /// The branch or tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 2048), inner(custom(crate::rules::plain)))]
    pub reference: Option<String>,
    /// The build that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = 2048), inner(custom(crate::rules::plain)))]
    pub build_url: Option<String>,
}

/// Why a release should not be used any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deprecation {
    /// Why.
    pub reason: String,
    /// Whether new promotions and rollbacks to it are refused, not only warned about.
    pub block: bool,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: UserId,
}

/// Where a release is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseState {
    /// Which release.
    pub release_id: ReleaseId,
    /// One entry an environment, in their order.
    pub environments: Vec<EnvironmentState>,
}

/// How a release stands in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentState {
    /// Which.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub environment: String,
    /// How it stands.
    pub status: EnvironmentStateStatus,
    /// The promotion that brought it, or would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The job that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// Since when it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Targets by the state of their task.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub targets: BTreeMap<String, u64>,
}

/// How a release stands in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentStateStatus {
    /// It never was there.
    NotDeployed,
    /// A promotion is open and has not begun to deploy.
    Pending,
    /// A job brings it there now.
    Deploying,
    /// It runs on every target that takes it.
    Deployed,
    /// It runs on some of them.
    PartiallyDeployed,
    /// The last attempt failed.
    Failed,
    /// Another release took its place.
    Superseded,
    /// It was taken back.
    RolledBack,
}

words!(EnvironmentStateStatus, "state of a release", {
    NotDeployed = "not_deployed",
    Pending = "pending",
    Deploying = "deploying",
    Deployed = "deployed",
    PartiallyDeployed = "partially_deployed",
    Failed = "failed",
    Superseded = "superseded",
    RolledBack = "rolled_back",
});
