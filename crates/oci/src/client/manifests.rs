//! Manifests and indexes by tag or digest.

use bytes::Bytes;
use http::{
    HeaderMap, Method,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};
use plimsoll_core::Digest;

use super::{Answer, Call, Inner, RegistryClient};
use crate::{
    auth::Scope,
    error::{Mismatch, RegistryError, Subject},
    image_config::ImageConfig,
    manifest::{self, Descriptor, Manifest},
    media::{ACCEPT_MANIFEST, ManifestType},
    name::{Reference, Repository},
};

/// What a registry says about a manifest without sending it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ManifestHead {
    /// Its digest.
    pub digest: Digest,
    /// What it is.
    pub media_type: ManifestType,
    /// Its own size in bytes, not the image's.
    pub size_bytes: u64,
}

impl RegistryClient {
    /// What `reference` is now: one HEAD, which registries don't count against their limits. Where a
    /// registry leaves out the digest, the manifest is read and hashed.
    pub async fn head_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<ManifestHead, RegistryError> {
        let call = self.0.manifest_call(Method::HEAD, repository, reference);
        let head = match self.0.fetch(&call).await {
            Ok(answer) => head_of(&answer.headers),
            // It doesn't take HEAD here.
            Err(RegistryError::BadAnswer { .. }) => None,
            Err(error) => return Err(error),
        };
        match (head, reference) {
            (Some(head), Reference::Digest(asked)) if head.digest != *asked => {
                Err(self.0.mismatch(&call.what, *asked, head.digest))
            }
            (Some(head), Reference::Digest(_) | Reference::Tag(_)) => Ok(head),
            (None, _) => {
                let manifest = self.get_manifest(repository, reference).await?;
                Ok(ManifestHead {
                    digest: manifest.digest,
                    media_type: manifest.media_type,
                    size_bytes: manifest.bytes.len() as u64,
                })
            }
        }
    }

    /// The manifest or index behind `reference`, its digest verified.
    pub async fn get_manifest(
        &self,
        repository: &Repository,
        reference: &Reference,
    ) -> Result<Manifest, RegistryError> {
        let call = self.0.manifest_call(Method::GET, repository, reference);
        let answer = self.0.fetch(&call).await?;
        let digest = Digest::of(&answer.body);
        let expected = match reference {
            Reference::Digest(asked) => Some(*asked),
            Reference::Tag(_) => content_digest(&answer.headers),
        };
        if let Some(expected) = expected.filter(|expected| *expected != digest) {
            return Err(self.0.mismatch(&call.what, expected, digest));
        }
        let Answer { headers, body } = answer;
        let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let (media_type, content) =
            manifest::parse(&body, content_type).map_err(|problem| self.0.bad(&call.what, problem))?;
        Ok(Manifest { digest, media_type, body: content, bytes: body })
    }

    /// The configuration that `descriptor` (of an image manifest) names, its digest verified.
    pub async fn image_config(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
    ) -> Result<ImageConfig, RegistryError> {
        let what = Subject::Blob(repository.clone(), descriptor.digest);
        let body = self.0.small_blob(repository, descriptor, self.0.limits.config_bytes).await?;
        serde_json::from_slice(&body).map_err(|_| self.0.bad(&what, "something that is no image configuration"))
    }
}

impl Inner {
    fn manifest_call(&self, method: Method, repository: &Repository, reference: &Reference) -> Call {
        Call {
            method,
            url: self.url_of(repository, &format!("manifests/{reference}")),
            accept: ACCEPT_MANIFEST,
            scope: Scope::Pull(repository.clone()),
            what: Subject::Manifest(repository.clone(), reference.clone()),
            limit: self.limits.manifest_bytes,
        }
    }

    async fn small_blob(
        &self,
        repository: &Repository,
        descriptor: &Descriptor,
        limit: u64,
    ) -> Result<Bytes, RegistryError> {
        let call = self.blob_call(repository, descriptor.digest, limit.min(descriptor.size));
        let body = self.fetch(&call).await?.body;
        let found = Digest::of(&body);
        if found == descriptor.digest { Ok(body) } else { Err(self.mismatch(&call.what, descriptor.digest, found)) }
    }

    pub(super) fn mismatch(&self, what: &Subject, expected: Digest, found: Digest) -> RegistryError {
        RegistryError::Mismatch(Box::new(Mismatch { host: self.host.clone(), what: what.clone(), expected, found }))
    }
}

fn head_of(headers: &HeaderMap) -> Option<ManifestHead> {
    let text = |name| headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    Some(ManifestHead {
        digest: content_digest(headers)?,
        media_type: ManifestType::parse(text(CONTENT_TYPE)?)?,
        size_bytes: text(CONTENT_LENGTH)?.parse().ok()?,
    })
}

fn content_digest(headers: &HeaderMap) -> Option<Digest> {
    headers.get("docker-content-digest")?.to_str().ok()?.parse().ok()
}
