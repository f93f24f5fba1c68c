//! What a tag or digest is, down to each platform's configuration.

use std::collections::BTreeMap;

use futures_util::{StreamExt, stream};
use plimsoll_core::{
    Digest, Timestamp,
    component::{Platform, PlatformImage},
};

use super::RegistryClient;
use crate::{
    error::{RegistryError, Subject, tidy},
    image_config::{ImageConfig, instant},
    manifest::{Descriptor, ImageManifest, Index, MAX_PLATFORMS, Manifest, ManifestBody},
    media::{ManifestType, is_image_config},
    name::{Reference, Repository},
};

/// An image as a release pins it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvedImage {
    /// Of the index or manifest as the registry serves it.
    pub digest: Digest,
    /// What that is.
    pub media_type: ManifestType,
    /// What it runs on; empty for what is no container image.
    pub platforms: Vec<PlatformImage>,
    /// Compressed bytes of the largest variant.
    pub size_bytes: u64,
    /// When it was made, if it says so.
    pub created_at: Option<Timestamp>,
    /// The commit it was made from (`org.opencontainers.image.revision`).
    pub source_revision: Option<String>,
    /// Where its source is (`org.opencontainers.image.source`).
    pub source_url: Option<String>,
}

/// Manifests of one index fetched at once.
const AT_ONCE: usize = 4;

/// One platform's manifest and configuration, read.
struct Part {
    digest: Digest,
    platform: Option<Platform>,
    manifest: ImageManifest,
    config: Option<ImageConfig>,
}

impl RegistryClient {
    /// What `reference` is: its digest, platforms, size, age and source. An index costs a call for itself
    /// and two for each platform. Platforms that the registry doesn't hold (a partial mirror) are left out.
    pub async fn resolve(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<ResolvedImage, RegistryError> {
        let manifest = self.get_manifest(repository, reference).await?;
        let (parts, annotations) = match &manifest.body {
            ManifestBody::Index(index) => (self.parts(repository, &manifest, index).await?, index.annotations.clone()),
            ManifestBody::Image(image) => {
                (vec![self.part(repository, manifest.digest, None, image.clone()).await?], BTreeMap::new())
            }
        };
        Ok(assemble(&manifest, &annotations, &parts))
    }

    async fn parts(
        &self,
        repository: &Repository,
        manifest: &Manifest,
        index: &Index,
    ) -> Result<Vec<Part>, RegistryError> {
        let what = Subject::Manifest(repository.clone(), manifest.digest.into());
        let images: Vec<&Descriptor> = index.manifests.iter().filter(|entry| entry.is_image()).collect();
        if images.len() > MAX_PLATFORMS {
            return Err(self.0.bad(&what, format!("an index of more than {MAX_PLATFORMS} platforms")));
        }
        let calls: Vec<_> = images.into_iter().map(|entry| self.entry(repository, entry)).collect();
        let results: Vec<_> = stream::iter(calls).buffered(AT_ONCE).collect().await;
        let (mut parts, mut absent) = (Vec::new(), None);
        for result in results {
            match result {
                Ok(part) => parts.push(part),
                Err(error @ RegistryError::NotFound { .. }) => absent = Some(error),
                Err(error) => return Err(error),
            }
        }
        match absent {
            Some(error) if parts.is_empty() => Err(error),
            Some(_) | None => Ok(parts),
        }
    }

    async fn entry(&self, repository: &Repository, entry: &Descriptor) -> Result<Part, RegistryError> {
        let manifest = self.get_manifest(repository, &entry.digest.into()).await?;
        match manifest.body {
            ManifestBody::Image(image) => self.part(repository, manifest.digest, entry.platform.clone(), image).await,
            ManifestBody::Index(_) => {
                let what = Subject::Manifest(repository.clone(), entry.digest.into());
                Err(self.0.bad(&what, "an index inside an index, which is not supported"))
            }
        }
    }

    async fn part(
        &self,
        repository: &Repository,
        digest: Digest,
        platform: Option<Platform>,
        manifest: ImageManifest,
    ) -> Result<Part, RegistryError> {
        let config = if is_image_config(&manifest.config.media_type) {
            Some(self.image_config(repository, &manifest.config).await?)
        } else {
            None
        };
        Ok(Part { digest, platform, manifest, config })
    }
}

fn assemble(manifest: &Manifest, annotations: &BTreeMap<String, String>, parts: &[Part]) -> ResolvedImage {
    let main = parts.iter().find(|part| part.runs_on("linux", "amd64")).or(parts.first());
    let fact = |name: &str, longest: usize| {
        let own = annotations.get(name).map(String::as_str);
        own.or_else(|| main.and_then(|part| part.fact(name))).filter(|text| !text.is_empty() && text.len() <= longest)
    };
    ResolvedImage {
        digest: manifest.digest,
        media_type: manifest.media_type,
        platforms: parts.iter().filter_map(Part::image).collect(),
        size_bytes: parts.iter().map(Part::size).max().unwrap_or(0),
        created_at: fact("org.opencontainers.image.created", 64)
            .and_then(instant)
            .or_else(|| main.and_then(|part| part.config.as_ref()?.created_at())),
        source_revision: fact("org.opencontainers.image.revision", 256).map(str::to_owned),
        source_url: fact("org.opencontainers.image.source", 2048).map(str::to_owned),
    }
}

impl Part {
    /// An annotation, or else the label of the same name.
    fn fact(&self, name: &str) -> Option<&str> {
        let annotation = self.manifest.annotations.get(name).map(String::as_str);
        annotation.or_else(|| self.config.as_ref()?.label(name))
    }

    /// Compressed bytes of the layers.
    fn size(&self) -> u64 {
        self.manifest.layers.iter().fold(0, |sum, layer| sum.saturating_add(layer.size))
    }

    fn runs_on(&self, os: &str, architecture: &str) -> bool {
        self.platform().is_some_and(|found| found.os == os && found.architecture == architecture)
    }

    /// What the index says, else the configuration.
    fn platform(&self) -> Option<Platform> {
        let config = self.config.as_ref()?;
        Some(self.platform.clone().unwrap_or_else(|| Platform {
            os: config.os.clone(),
            architecture: config.architecture.clone(),
            variant: config.variant.clone(),
        }))
    }

    fn image(&self) -> Option<PlatformImage> {
        let platform = self.platform()?;
        let platform = Platform {
            os: tidy(&platform.os),
            architecture: tidy(&platform.architecture),
            variant: platform.variant.as_deref().filter(|variant| !variant.is_empty()).map(tidy),
        };
        let (manifest, config) = (self.digest, self.manifest.config.digest);
        Some(PlatformImage { platform, manifest, config, size_bytes: self.size() })
    }
}
