//! Media types of manifests, configurations and layers, in OCI's and Docker's spelling.

use std::fmt;

/// The manifests that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ManifestType {
    /// OCI image index: one manifest per platform.
    OciIndex,
    /// OCI image manifest.
    OciManifest,
    /// Docker manifest list.
    DockerList,
    /// Docker image manifest, version 2 schema 2.
    DockerManifest,
}

impl ManifestType {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OciIndex, Self::OciManifest, Self::DockerList, Self::DockerManifest];

    /// The media type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
        }
    }

    /// The one with this media type; parameters after `;` are ignored.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim();
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(essence))
    }

    /// Whether it lists manifests of platforms.
    #[must_use]
    pub const fn is_index(self) -> bool {
        match self {
            Self::OciIndex | Self::DockerList => true,
            Self::OciManifest | Self::DockerManifest => false,
        }
    }
}

impl fmt::Display for ManifestType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request for a manifest accepts.
pub(crate) const ACCEPT_MANIFEST: &str = "application/vnd.oci.image.index.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, \
     application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.v2+json";

/// Whether a configuration of this media type is an image's (and not, say, a chart's).
pub(crate) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, "application/vnd.oci.image.config.v1+json" | "application/vnd.docker.container.image.v1+json")
}

/// How a layer is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerFormat {
    /// A plain tar.
    Tar,
    /// A tar through gzip.
    TarGzip,
    /// A tar through zstd.
    TarZstd,
}

impl LayerFormat {
    /// The format of a layer with this media type; none for what is no file system layer.
    #[must_use]
    pub fn parse(media_type: &str) -> Option<Self> {
        match media_type {
            "application/vnd.oci.image.layer.v1.tar"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar"
            | "application/vnd.docker.image.rootfs.diff.tar" => Some(Self::Tar),
            "application/vnd.oci.image.layer.v1.tar+gzip"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
            | "application/vnd.docker.image.rootfs.diff.tar.gzip"
            | "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" => Some(Self::TarGzip),
            "application/vnd.oci.image.layer.v1.tar+zstd"
            | "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd"
            | "application/vnd.docker.image.rootfs.diff.tar.zstd" => Some(Self::TarZstd),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_manifest_type_is_accepted_and_parsed() {
        for kind in ManifestType::ALL {
            assert!(ACCEPT_MANIFEST.contains(kind.as_str()));
            assert_eq!(ManifestType::parse(&format!("{kind}; charset=utf-8")), Some(kind));
        }
        assert_eq!(ManifestType::parse("application/vnd.docker.distribution.manifest.v1+prettyjws"), None);
    }
}
