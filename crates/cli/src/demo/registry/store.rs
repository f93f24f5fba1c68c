//! What the registry holds, in memory.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};
use bytes::Bytes;
use plimsoll_core::{Digest, component::PlatformImage};
use plimsoll_oci::{Reference, Repository, Tag};
use serde::Serialize;
use serde_json::{Value, json};

use super::PutImage;

/// Bytes with their digest and type.
#[derive(Clone)]
pub(super) struct Content {
    pub(super) media_type: &'static str,
    pub(super) digest: Digest,
    pub(super) bytes: Bytes,
}

impl Content {
    pub(super) fn new(media_type: &'static str, bytes: Bytes) -> Self {
        Self { media_type, digest: Digest::of(&bytes), bytes }
    }

    /// `value` as canonical JSON, so that its digest does not depend on the order of keys in memory.
    pub(super) fn json<T: Serialize>(media_type: &'static str, value: &T) -> Result<Self> {
        Ok(Self::new(media_type, plimsoll_core::canonical::to_vec(value)?.into()))
    }

    pub(super) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.bytes.len() })
    }
}

/// An image ready to be put: what its tag names, the manifests below that, and all blobs.
pub(super) struct Made {
    pub(super) root: Content,
    pub(super) children: Vec<Content>,
    pub(super) blobs: Vec<Content>,
    pub(super) platforms: Vec<PlatformImage>,
}

/// All repositories, and all content once.
#[derive(Default)]
pub(super) struct Store {
    content: BTreeMap<Digest, Content>,
    repositories: BTreeMap<Repository, Holding>,
}

/// What one repository has.
#[derive(Default)]
struct Holding {
    tags: BTreeMap<Tag, Digest>,
    manifests: BTreeSet<Digest>,
    blobs: BTreeSet<Digest>,
}

/// Why there is no answer, in the specification's words.
#[derive(Clone, Copy, Debug)]
pub(super) enum Missing {
    Repository,
    Manifest,
    Blob,
}

impl Store {
    pub(super) fn put(&mut self, repository: &Repository, tag: &Tag, made: Made) -> PutImage {
        let holding = self.repositories.entry(repository.clone()).or_default();
        let digest = made.root.digest;
        holding.tags.insert(tag.clone(), digest);
        holding.blobs.extend(made.blobs.iter().map(|blob| blob.digest));
        holding.manifests.extend(made.children.iter().chain([&made.root]).map(|manifest| manifest.digest));
        for content in made.blobs.into_iter().chain(made.children).chain([made.root]) {
            self.content.entry(content.digest).or_insert(content);
        }
        PutImage { digest, platforms: made.platforms }
    }

    pub(super) fn move_tag(&mut self, repository: &Repository, tag: &Tag, to: Digest) -> Result<()> {
        let holding = self.repositories.get_mut(repository).filter(|holding| holding.manifests.contains(&to));
        let Some(holding) = holding else { bail!("{repository} has no manifest {to}; put the image first") };
        holding.tags.insert(tag.clone(), to);
        Ok(())
    }

    pub(super) fn manifest(&self, repository: &Repository, reference: &Reference) -> Result<Content, Missing> {
        let holding = self.repositories.get(repository).ok_or(Missing::Repository)?;
        let digest = match reference {
            Reference::Tag(tag) => holding.tags.get(tag).copied(),
            Reference::Digest(digest) => holding.manifests.get(digest).copied(),
        };
        digest.and_then(|digest| self.content.get(&digest)).cloned().ok_or(Missing::Manifest)
    }

    pub(super) fn blob(&self, repository: &Repository, digest: &Digest) -> Result<Content, Missing> {
        let holding = self.repositories.get(repository).ok_or(Missing::Repository)?;
        let digest = holding.blobs.get(digest).ok_or(Missing::Blob)?;
        self.content.get(digest).cloned().ok_or(Missing::Blob)
    }

    pub(super) fn tags(&self, repository: &Repository) -> Result<Vec<String>, Missing> {
        let holding = self.repositories.get(repository).ok_or(Missing::Repository)?;
        Ok(holding.tags.keys().map(ToString::to_string).collect())
    }

    pub(super) fn repositories(&self) -> Vec<String> {
        self.repositories.keys().map(ToString::to_string).collect()
    }
}
