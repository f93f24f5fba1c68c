//! A registry in memory, for what a real one does not do at will: thousands of tags, limits, waiting.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use plimsoll_app::registry::{Registry, RegistryGateway};
use plimsoll_core::{
    Digest,
    component::{Platform, PlatformImage},
    integration::Check,
};
use plimsoll_oci::{
    CatalogPage, ManifestHead, ManifestType, Reference, RegistryError, Repository, ResolvedImage, Subject,
};
use tokio::sync::Semaphore;

/// Tags and what they name; cheap to clone.
#[derive(Clone, Debug)]
pub struct FakeRegistry(Arc<State>);

#[derive(Debug)]
struct State {
    tags: Mutex<BTreeMap<String, Digest>>,
    calls: AtomicUsize,
    /// After so many calls it wants no more.
    limit: AtomicUsize,
    /// Lists of tags wait for a permit.
    gate: Semaphore,
}

impl FakeRegistry {
    pub fn new(tags: impl IntoIterator<Item = String>) -> Self {
        let tags = tags.into_iter().map(|tag| (tag.clone(), Digest::of(tag.as_bytes()))).collect();
        Self(Arc::new(State {
            tags: Mutex::new(tags),
            calls: AtomicUsize::new(0),
            limit: AtomicUsize::new(usize::MAX),
            gate: Semaphore::new(Semaphore::MAX_PERMITS / 2),
        }))
    }

    /// HEADs and GETs so far.
    pub fn calls(&self) -> usize {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Refuses with 429 after this many calls from now on.
    pub fn limit_to(&self, more: usize) {
        self.0.limit.store(self.calls() + more, Ordering::Relaxed);
    }

    pub fn unlimited(&self) {
        self.0.limit.store(usize::MAX, Ordering::Relaxed);
    }

    /// A tag and what it named are gone.
    pub fn forget(&self, tag: &str) {
        self.0.tags.lock().unwrap().remove(tag);
    }

    /// Makes calls for tags wait until it is opened.
    pub fn close(&self) {
        self.0.gate.forget_permits(usize::MAX >> 3);
    }

    pub fn open(&self) {
        self.0.gate.add_permits(1_000);
    }

    fn count(&self) -> Result<(), RegistryError> {
        if self.0.calls.fetch_add(1, Ordering::Relaxed) >= self.0.limit.load(Ordering::Relaxed) {
            return Err(RegistryError::RateLimited { host: "fake".to_owned(), retry_after_seconds: None });
        }
        Ok(())
    }

    fn digest(&self, repository: &Repository, reference: &Reference) -> Result<Digest, RegistryError> {
        let tags = self.0.tags.lock().unwrap();
        let found = match reference {
            Reference::Tag(tag) => tags.get(tag.as_str()).copied(),
            Reference::Digest(digest) => tags.values().any(|known| known == digest).then_some(*digest),
        };
        found.ok_or_else(|| RegistryError::NotFound {
            host: "fake".to_owned(),
            what: Subject::Manifest(repository.clone(), reference.clone()),
            said: String::new(),
        })
    }
}

impl RegistryGateway for FakeRegistry {
    fn test<'a>(
        &'a self,
        _: &'a Registry,
        _: Option<&'a Repository>,
    ) -> BoxFuture<'a, Result<Vec<Check>, RegistryError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn repositories<'a>(
        &'a self,
        _: &'a Registry,
        _: Option<&'a str>,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<CatalogPage, RegistryError>> {
        Box::pin(async { Ok(CatalogPage { repositories: Vec::new(), next: None }) })
    }

    fn tags<'a>(&'a self, _: &'a Registry, _: &'a Repository) -> BoxFuture<'a, Result<Vec<String>, RegistryError>> {
        Box::pin(async move {
            self.0.gate.acquire().await.expect("the gate is never closed for good").forget();
            Ok(self.0.tags.lock().unwrap().keys().cloned().collect())
        })
    }

    fn head<'a>(
        &'a self,
        _: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, RegistryError>> {
        Box::pin(async move {
            self.count()?;
            let digest = self.digest(repository, reference)?;
            Ok(ManifestHead { digest, media_type: ManifestType::OciIndex, size_bytes: 1 })
        })
    }

    fn resolve<'a>(
        &'a self,
        _: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ResolvedImage, RegistryError>> {
        Box::pin(async move {
            self.count()?;
            let digest = self.digest(repository, reference)?;
            let platform = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None };
            Ok(ResolvedImage {
                digest,
                media_type: ManifestType::OciIndex,
                platforms: vec![PlatformImage { platform, manifest: digest, config: digest, size_bytes: 1 }],
                size_bytes: 1,
                created_at: None,
                source_revision: None,
                source_url: None,
            })
        })
    }
}
