//! Asking the registry about tags, several at once, until the time is over.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::{StreamExt, stream};
use plimsoll_core::{
    Digest, Timestamp,
    component::{ComponentVersion, PlatformImage, SyncFailure},
    id::{ComponentId, VersionId},
};
use plimsoll_oci::{Reference, RegistryError, Repository, ResolvedImage, Tag};
use plimsoll_store::{
    Scope,
    component_version::{self, KnownTag},
};
use tokio::time::Instant;

use super::{
    plan::{NewTag, Plan},
    record::{BATCH, Recorder},
};
use crate::{App, registry::Registry};

/// Tags asked about at once.
const AT_ONCE: usize = 6;

/// What stands in a registry for one digest.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) platforms: Vec<PlatformImage>,
    pub(super) size_bytes: u64,
    pub(super) image_created_at: Option<Timestamp>,
    pub(super) source_revision: Option<String>,
    pub(super) source_url: Option<String>,
}

/// What was seen of one tag.
#[derive(Debug)]
pub(super) enum Seen {
    /// It was not known.
    New(NewTag, Facts),
    /// It names another digest now.
    Moved(KnownTag, Facts),
    /// It is as it was.
    Same(KnownTag),
    /// It could not be read.
    Failed(SyncFailure),
    /// The registry can't be asked now: the rest waits.
    Stopped(SyncFailure),
}

enum Job {
    New(NewTag),
    Again(KnownTag),
}

/// Where the tags are, and until when there is time.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) scope: Scope,
    pub(super) component: ComponentId,
    pub(super) registry: Registry,
    pub(super) repository: Repository,
    pub(super) deadline: Instant,
}

/// Asks about one tag after the other.
pub(super) struct Looker<'a> {
    app: &'a App,
    place: &'a Place,
    /// What was resolved in this sync: many tags name one digest.
    resolved: Mutex<HashMap<Digest, Arc<Facts>>>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(app: &'a App, place: &'a Place) -> Self {
        Self { app, place, resolved: Mutex::new(HashMap::new()) }
    }

    /// Works through the plan and hands what was seen to `recorder` in batches. Answers how many tags were
    /// not reached.
    pub(super) async fn run(&self, plan: Plan, recorder: &mut Recorder<'_>) -> plimsoll_core::Result<u64> {
        let jobs = plan.new.into_iter().map(Job::New).chain(plan.again.into_iter().map(Job::Again));
        let calls: Vec<_> = jobs.map(|job| self.look(job)).collect();
        let planned = calls.len();
        let mut looking = stream::iter(calls).buffer_unordered(AT_ONCE);
        let (mut reached, mut batch) = (0, Vec::new());
        // What is under way at the deadline is given up; it is looked at by the next sync.
        while let Ok(Some(seen)) = tokio::time::timeout_at(self.place.deadline, looking.next()).await {
            reached += 1;
            let stopped = matches!(seen, Seen::Stopped(_));
            batch.push(seen);
            if stopped {
                break;
            }
            if batch.len() >= BATCH {
                recorder.record(std::mem::take(&mut batch)).await?;
            }
        }
        drop(looking);
        recorder.record(batch).await?;
        Ok((planned - reached) as u64)
    }

    async fn look(&self, job: Job) -> Seen {
        let tag = match &job {
            Job::New(new) => new.tag.clone(),
            Job::Again(known) => known.tag.clone(),
        };
        match self.ask(&tag, &job).await {
            Ok(None) => match job {
                Job::Again(known) => Seen::Same(known),
                Job::New(new) => Seen::Failed(SyncFailure { tag: new.tag, message: "it vanished".to_owned() }),
            },
            Ok(Some(facts)) => match job {
                Job::Again(known) => Seen::Moved(known, facts),
                Job::New(new) => Seen::New(new, facts),
            },
            Err(error) => {
                let failure = SyncFailure { tag, message: error.to_string() };
                if error.is_transient() { Seen::Stopped(failure) } else { Seen::Failed(failure) }
            }
        }
    }

    /// `None` when a known tag names what it named.
    async fn ask(&self, tag: &str, job: &Job) -> Result<Option<Facts>, RegistryError> {
        let tag: Tag = tag
            .parse()
            .map_err(|_| RegistryError::Configuration(format!("{tag:?} is not a tag as the specification has it")))?;
        let place = self.place;
        let head = self.app.registries.head(&place.registry, &place.repository, &Reference::Tag(tag)).await?;
        if let Job::Again(known) = job
            && known.digest == head.digest
        {
            return Ok(None);
        }
        self.facts(head.digest).await.map(|facts| Some(Facts::clone(&facts)))
    }

    /// From this sync, from an earlier one, or from the registry.
    async fn facts(&self, digest: Digest) -> Result<Arc<Facts>, RegistryError> {
        if let Some(known) = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).get(&digest) {
            return Ok(Arc::clone(known));
        }
        let facts = match self.stored(digest).await {
            Some(stored) => stored,
            None => {
                let place = self.place;
                let reference = Reference::Digest(digest);
                self.app.registries.resolve(&place.registry, &place.repository, &reference).await?.into()
            }
        };
        let facts = Arc::new(facts);
        self.resolved.lock().unwrap_or_else(PoisonError::into_inner).insert(digest, Arc::clone(&facts));
        Ok(facts)
    }

    /// A digest says the same for ever. If the database can't answer, the registry can.
    async fn stored(&self, digest: Digest) -> Option<Facts> {
        let component = self.place.component;
        let read = self
            .app
            .store
            .read(self.place.scope, "component_sync_known_digest", move |tx| {
                component_version::by_digest(tx, component, digest)
            })
            .await;
        read.ok()?.pop().map(|stored| stored.version.into())
    }
}

impl From<ResolvedImage> for Facts {
    fn from(image: ResolvedImage) -> Self {
        Self {
            digest: image.digest,
            media_type: image.media_type.as_str().to_owned(),
            platforms: image.platforms,
            size_bytes: image.size_bytes,
            image_created_at: image.created_at,
            source_revision: image.source_revision,
            source_url: image.source_url,
        }
    }
}

impl From<ComponentVersion> for Facts {
    fn from(version: ComponentVersion) -> Self {
        Self {
            digest: version.digest,
            media_type: version.media_type,
            platforms: version.platforms,
            size_bytes: version.size_bytes,
            image_created_at: version.image_created_at,
            source_revision: version.source_revision,
            source_url: version.source_url,
        }
    }
}

impl Facts {
    /// A version of `component` with these facts.
    pub(super) fn version(
        self,
        id: VersionId,
        component: ComponentId,
        tag: String,
        version: String,
        now: Timestamp,
    ) -> ComponentVersion {
        ComponentVersion {
            id,
            component_id: component,
            tag,
            version,
            digest: self.digest,
            media_type: self.media_type,
            platforms: self.platforms,
            size_bytes: self.size_bytes,
            image_created_at: self.image_created_at,
            source_revision: self.source_revision,
            source_url: self.source_url,
            discovered_at: now,
            superseded_at: None,
            attestations: Vec::new(),
        }
    }
}
