//! Components and their versions, as the API shows them.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Timestamp,
    component::{Runtime, Versioning},
    id::{ComponentId, IntegrationId, VersionId},
    label::{LabelSelector, Labels},
    words::words,
};

/// One deployable image repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Component {
    /// Its id.
    pub id: ComponentId,
    /// A slug, unique in the tenant; part of container names.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The `oci_registry` integration that serves the images.
    pub registry_integration_id: IntegrationId,
    /// The repository in that registry, such as `shop/api`.
    pub repository: String,
    /// How tags become versions.
    #[serde(default)]
    pub versioning: Versioning,
    /// Where commits are looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_integration_id: Option<IntegrationId>,
    /// The source repository there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// How its containers run.
    #[serde(default)]
    pub runtime: Runtime,
    /// The targets that take it; all when empty.
    #[serde(default, skip_serializing_if = "LabelSelector::is_empty")]
    pub placement: LabelSelector,
    /// Containers a target.
    pub instances: u16,
    /// Components that must be healthy on the same target first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<ComponentId>,
    /// Rules that put versions into channels; the first that fits counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<ChannelRule>,
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

/// Puts the versions whose tags fit `pattern` into a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, garde::Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChannelRule {
    /// The channel's name, such as `stable`.
    #[garde(custom(crate::rules::slug))]
    pub channel: String,
    /// A regular expression that the whole tag must match.
    #[garde(custom(crate::component::limits::pattern))]
    pub pattern: String,
}

/// One tag of a component, pinned to a digest. Tag and digest never change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentVersion {
    /// Its id.
    pub id: VersionId,
    /// Of which component.
    pub component_id: ComponentId,
    /// As the registry names it.
    pub tag: String,
    /// The version read from the tag by the component's scheme.
    pub version: String,
    /// Of the index or manifest, as the registry serves it.
    pub digest: Digest,
    /// The media type of what `digest` names.
    pub media_type: String,
    /// The variants, one a platform.
    #[serde(default)]
    pub platforms: Vec<PlatformImage>,
    /// Compressed bytes of the largest variant.
    pub size_bytes: u64,
    /// When the image was built, as it says itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_created_at: Option<Timestamp>,
    /// The commit it was built from (`org.opencontainers.image.revision`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_revision: Option<String>,
    /// The repository it was built from (`org.opencontainers.image.source`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_url: Option<String>,
    /// When we first saw it.
    pub discovered_at: Timestamp,
    /// When the tag was found to name another digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Timestamp>,
    /// What is attached to it in the registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attestations: Vec<Attestation>,
}

/// One variant of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlatformImage {
    /// What it runs on.
    #[serde(flatten)]
    pub platform: Platform,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of its configuration: what Docker calls the image id.
    pub config: Digest,
    /// Compressed bytes of its layers.
    pub size_bytes: u64,
}

/// What an image runs on, in Go's words (`linux`, `amd64`, `v8`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Platform {
    /// The operating system.
    pub os: String,
    /// The processor.
    pub architecture: String,
    /// The processor's variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

/// Something attached to an image: a signature, an SBOM, provenance, a scan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attestation {
    /// What it is.
    pub kind: AttestationKind,
    /// The digest of its manifest.
    pub digest: Digest,
    /// The artifact or predicate type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// When we first saw it.
    pub discovered_at: Timestamp,
}

/// What an [`Attestation`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AttestationKind {
    /// A signature.
    Signature,
    /// A list of contents.
    Sbom,
    /// How it was built.
    Provenance,
    /// A scan for vulnerabilities.
    Scan,
    /// Anything else.
    Other,
}

words!(AttestationKind, "kind of attestation", {
    Signature = "signature",
    Sbom = "sbom",
    Provenance = "provenance",
    Scan = "scan",
    Other = "other",
});

/// What a sync of versions did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncResult {
    /// Versions found for the first time.
    pub added: u64,
    /// Tags that name another digest now.
    pub moved: u64,
    /// Known tags looked at again and found the same.
    pub unchanged: u64,
    /// Tags that the scheme or the patterns refuse.
    pub skipped: u64,
    /// Tags that could not be read, with the reason.
    pub failed: Vec<SyncFailure>,
    /// Tags still to be looked at; the background sync goes on with them.
    pub remaining: u64,
    /// Whether nothing remains.
    pub done: bool,
}

/// One tag that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SyncFailure {
    /// The tag.
    pub tag: String,
    /// Why.
    pub message: String,
}
