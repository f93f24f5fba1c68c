//! Manifests and indexes as registries serve them (OCI image specification 1.1).

use std::collections::BTreeMap;

use bytes::Bytes;
use plimsoll_core::{Digest, component::Platform};
use serde::{Deserialize, Deserializer};

use crate::media::{LayerFormat, ManifestType};

/// A manifest or an index, its digest verified.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// What it is.
    pub media_type: ManifestType,
    /// Its content.
    pub body: ManifestBody,
    /// The very bytes that the digest names.
    pub bytes: Bytes,
}

/// The content of a manifest.
#[derive(Clone, Debug)]
pub enum ManifestBody {
    /// A manifest per platform.
    Index(Index),
    /// One image.
    Image(ImageManifest),
}

/// An image index.
#[derive(Clone, Debug, Deserialize)]
pub struct Index {
    /// The manifests that it lists.
    #[serde(default, deserialize_with = "or_default")]
    pub manifests: Vec<Descriptor>,
    /// Facts about all of them.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// An image manifest.
#[derive(Clone, Debug, Deserialize)]
pub struct ImageManifest {
    /// The image's configuration.
    pub config: Descriptor,
    /// Its layers, lowest first.
    #[serde(default, deserialize_with = "or_default")]
    pub layers: Vec<Descriptor>,
    /// Facts about the image.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// Where content lies and how it is verified.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// For which platform, in an index.
    #[serde(default)]
    pub platform: Option<Platform>,
    /// Facts about it.
    #[serde(default, deserialize_with = "or_default")]
    pub annotations: BTreeMap<String, String>,
}

/// The most manifests of one index that are looked at.
pub const MAX_PLATFORMS: usize = 64;

impl Descriptor {
    /// How it is packed, if it is a file system layer.
    #[must_use]
    pub fn layer_format(&self) -> Option<LayerFormat> {
        LayerFormat::parse(&self.media_type)
    }

    /// Whether it is a manifest of an image, and not an attestation that build tools put beside them.
    #[must_use]
    pub fn is_image(&self) -> bool {
        ManifestType::parse(&self.media_type).is_some()
            && !self.annotations.contains_key("vnd.docker.reference.type")
            && self.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
    }
}

impl Index {
    /// The manifest to run on `host`: of those that it can run the one built for the newest processor.
    #[must_use]
    pub fn select(&self, host: &Platform) -> Option<&Descriptor> {
        let images = self.manifests.iter().filter(|entry| entry.is_image());
        let fitting = images.filter_map(|entry| Some((entry.platform.as_ref()?.fit(host)?, entry)));
        fitting.max_by_key(|(fit, _)| *fit).map(|(_, entry)| entry)
    }
}

/// What the bytes of a manifest are: the header's word, the body's own, or what its fields tell.
/// Content that could be read both ways is refused (CVE-2021-41190).
pub(crate) fn parse(bytes: &Bytes, content_type: Option<&str>) -> Result<(ManifestType, ManifestBody), String> {
    let shape: Shape = serde_json::from_slice(bytes).map_err(|cause| format!("no manifest: {cause}"))?;
    let said = content_type.and_then(ManifestType::parse);
    let own = match shape.media_type.as_deref() {
        None | Some("") => None,
        Some(text) => Some(
            ManifestType::parse(text).ok_or_else(|| format!("a manifest of type {text:?}, which is not supported"))?,
        ),
    };
    let by_fields = match (shape.manifests.is_some(), shape.layers.is_some() || shape.config.is_some()) {
        (true, true) => return Err("a manifest that is also an index, which is not safe to read".to_owned()),
        (true, false) => ManifestType::OciIndex,
        (false, true) => ManifestType::OciManifest,
        (false, false) if shape.schema_version == Some(1) => {
            return Err(
                "a Docker schema 1 manifest, which is obsolete; push the image again with a current tool".to_owned()
            );
        }
        (false, false) => return Err("JSON that is no manifest".to_owned()),
    };
    if said.zip(own).is_some_and(|(said, own)| said != own) {
        return Err("a manifest whose media type is not the one in the header".to_owned());
    }
    let kind = said.or(own).unwrap_or(by_fields);
    if kind.is_index() != by_fields.is_index() {
        return Err(format!("content that does not fit its media type {kind}"));
    }
    let body = if kind.is_index() {
        serde_json::from_slice(bytes).map(ManifestBody::Index)
    } else {
        serde_json::from_slice(bytes).map(ManifestBody::Image)
    };
    body.map(|body| (kind, body)).map_err(|cause| format!("a malformed manifest: {cause}"))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    schema_version: Option<u32>,
    media_type: Option<String>,
    manifests: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    config: Option<serde::de::IgnoredAny>,
}

/// Go writes `null` for what is empty.
pub(crate) fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(os: &str, architecture: &str, variant: Option<&str>) -> Platform {
        Platform { os: os.to_owned(), architecture: architecture.to_owned(), variant: variant.map(str::to_owned) }
    }

    fn index(platforms: &[(&str, &str, Option<&str>)]) -> Index {
        let entry = |(os, architecture, variant): &(&str, &str, Option<&str>)| Descriptor {
            media_type: ManifestType::OciManifest.to_string(),
            digest: Digest::of(format!("{os}/{architecture}/{variant:?}").as_bytes()),
            size: 1,
            platform: Some(platform(os, architecture, *variant)),
            annotations: BTreeMap::new(),
        };
        Index { manifests: platforms.iter().map(entry).collect(), annotations: BTreeMap::new() }
    }

    #[test]
    fn a_host_gets_the_newest_that_it_can_run() {
        let arm = index(&[("linux", "arm", Some("v5")), ("linux", "arm", Some("v7")), ("linux", "arm", Some("v6"))]);
        let arm64 = index(&[("windows", "arm64", None), ("linux", "arm64", Some("v8")), ("linux", "amd64", None)]);
        let amd64 = index(&[("linux", "amd64", None), ("linux", "amd64", Some("v3"))]);
        for (index, host, expected) in [
            (&arm, platform("linux", "arm", Some("v6")), Some(Some("v6"))),
            (&arm, platform("linux", "arm", None), Some(Some("v7"))),
            (&arm, platform("linux", "arm64", None), None),
            (&arm64, platform("linux", "arm64", None), Some(Some("v8"))),
            (&amd64, platform("linux", "amd64", None), Some(None)),
            (&amd64, platform("linux", "amd64", Some("v3")), Some(Some("v3"))),
            (&amd64, platform("freebsd", "amd64", None), None),
        ] {
            let chosen = index.select(&host).map(|found| found.platform.as_ref().unwrap().variant.as_deref());
            assert_eq!(chosen, expected, "{host:?}");
        }
    }

    #[test]
    fn attestations_are_no_images() {
        let mut index = index(&[("unknown", "unknown", None), ("linux", "amd64", None)]);
        index.manifests[1]
            .annotations
            .insert("vnd.docker.reference.type".to_owned(), "attestation-manifest".to_owned());
        assert!(index.manifests.iter().all(|entry| !entry.is_image()));
        assert_eq!(index.select(&platform("linux", "amd64", None)), None);
    }
}
