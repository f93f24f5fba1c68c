//! What a request names, found: components, and of each one version. Everything given must agree, and all
//! that is wrong is listed at once.

use std::collections::{BTreeMap, btree_map::Entry};

use plimsoll_core::{
    Digest, Error, Result, ValidationError,
    component::{Component, ComponentVersion, versioning::Reader},
    id::{IntegrationId, TenantId},
    release::{ReleaseComponent, seal},
};
use plimsoll_oci::{Reference, Repository};
use plimsoll_protocol::release::ReleaseComponentRequest;
use plimsoll_store::{
    IntoValue, Scope, Tx,
    component_version::{self, StoredVersion},
    resource,
};

use crate::{App, registry::Registry};

/// What the parts of a release are.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// In the order of the request.
    pub(super) components: Vec<ReleaseComponent>,
    /// Versions that were given by a digest which no sync has seen, to be stored with the release.
    pub(super) fresh: Vec<StoredVersion>,
}

/// One part, as far as the database knows it.
#[derive(Clone, Debug)]
enum Found {
    /// It needs no call.
    Whole(Box<ReleaseComponent>),
    /// The registry is asked about the digest, whether a version with it is known or not.
    Digest { component: Box<Component>, digest: Digest, known: Option<Box<StoredVersion>> },
}

impl App {
    /// Finds everything that `asked` names. A digest given directly is looked for in the registry.
    /// `kept` are parts that the release has already: one that is sent back as it was read stays as it is.
    pub(super) async fn find_parts(
        &self,
        tenant: TenantId,
        asked: Vec<ReleaseComponentRequest>,
        kept: Vec<ReleaseComponent>,
    ) -> Result<Parts> {
        let entries = asked.clone();
        let found =
            self.store.read(Scope::Tenant(tenant), "release_parts", move |tx| find_all(tx, &entries, &kept)).await?;
        let mut parts = Parts::default();
        let mut registries: BTreeMap<IntegrationId, Registry> = BTreeMap::new();
        for (index, (one, request)) in found.into_iter().zip(&asked).enumerate() {
            let whole = match one {
                Found::Whole(whole) => *whole,
                Found::Digest { component, digest, known } => {
                    let registry = match registries.entry(component.registry_integration_id) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(free) => {
                            free.insert(self.enabled_registry(tenant, component.registry_integration_id).await?)
                        }
                    };
                    let stored = self.ask_digest(registry, &component, digest, known).await;
                    let (stored, new) = stored.map_err(|error| at_part(index, error))?;
                    let whole = part(&component, &stored.version, request);
                    parts.fresh.extend(new.then_some(stored));
                    whole
                }
            };
            parts.components.push(whole);
        }
        let wrong = seal::duplicates(&parts.components);
        if wrong.is_empty() { Ok(parts) } else { Err(Error::invalid(wrong)) }
    }

    /// The version with this digest, and whether it is new to us. 422 `DIGEST_NOT_FOUND` when the registry
    /// does not have it.
    async fn ask_digest(
        &self,
        registry: &Registry,
        component: &Component,
        digest: Digest,
        known: Option<Box<StoredVersion>>,
    ) -> Result<(StoredVersion, bool)> {
        let repository: Repository = component.repository.parse()?;
        let reference = Reference::Digest(digest);
        if let Some(known) = known {
            self.registries.head(registry, &repository, &reference).await?;
            return Ok((*known, false));
        }
        let image = self.registries.resolve(registry, &repository, &reference).await?;
        let now = self.context.now();
        let name = digest.to_string().replace(':', "-");
        let version = ComponentVersion {
            id: self.context.id(),
            component_id: component.id,
            // No tag that we know names it; this one says so, and is never taken for the latest.
            tag: name.clone(),
            version: name,
            digest,
            media_type: image.media_type.as_str().to_owned(),
            platforms: image.platforms,
            size_bytes: image.size_bytes,
            image_created_at: image.created_at,
            source_revision: image.source_revision,
            source_url: image.source_url,
            discovered_at: now,
            superseded_at: Some(now),
            attestations: Vec::new(),
        };
        Ok((StoredVersion::new(version, String::new()), true))
    }
}

/// Says which part an error of the registry is about.
fn at_part(index: usize, error: Error) -> Error {
    let message = format!("components[{index}].digest: {}", error.message());
    let details = error.public_details().cloned();
    let told = Error::new(error.code(), message);
    match details {
        Some(details) => told.details(details),
        None => told,
    }
}

fn find_all(tx: &mut Tx<'_>, asked: &[ReleaseComponentRequest], kept: &[ReleaseComponent]) -> Result<Vec<Found>> {
    let (mut found, mut wrong) = (Vec::with_capacity(asked.len()), Vec::new());
    for (index, request) in asked.iter().enumerate() {
        if let Some(same) = kept.iter().find(|part| is_same(request, part)) {
            found.push(Found::Whole(Box::new(same.clone())));
            continue;
        }
        match find_one(tx, request)? {
            Ok(one) => found.push(one),
            Err((field, code, message)) => {
                wrong.push(ValidationError::new(format!("components[{index}].{field}"), code, message));
            }
        }
    }
    if wrong.is_empty() { Ok(found) } else { Err(Error::invalid(wrong)) }
}

/// Whether a part was sent as a GET showed it. Its component may have another name by now.
fn is_same(request: &ReleaseComponentRequest, part: &ReleaseComponent) -> bool {
    let ReleaseComponentRequest { component_id, component, version_id, tag, version, digest, config } = request;
    *component_id == Some(part.component_id)
        && *version_id == Some(part.version_id)
        && agrees(component.as_ref(), &part.component)
        && agrees(tag.as_ref(), &part.tag)
        && agrees(version.as_ref(), &part.version)
        && agrees(digest.as_ref(), &part.digest)
        && *config == part.config
}

fn agrees<T: PartialEq>(given: Option<&T>, known: &T) -> bool {
    given.is_none_or(|given| given == known)
}

type Wrong = (&'static str, &'static str, String);

fn find_one(tx: &mut Tx<'_>, request: &ReleaseComponentRequest) -> Result<Result<Found, Wrong>> {
    let component = match find_component(tx, request)? {
        Ok(component) => component,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let reader = Reader::new(&component.versioning)?;
    let version = match find_version(tx, request, &component, &reader)? {
        Ok(version) => version,
        Err(wrong) => return Ok(Err(wrong)),
    };
    if let (None, None, None, Some(digest)) = (request.version_id, &request.tag, &request.version, request.digest) {
        let known = version.map(Box::new);
        return Ok(Ok(Found::Digest { component: Box::new(component), digest, known }));
    }
    let Some(stored) = version else {
        return Ok(Err(("versionId", "required", "name a version, a tag or a digest".to_owned())));
    };
    Ok(disagreement(request, &stored.version, &reader)
        .map_or_else(|| Ok(Found::Whole(Box::new(part(&component, &stored.version, request)))), Err))
}

fn find_component(tx: &mut Tx<'_>, request: &ReleaseComponentRequest) -> Result<Result<Component, Wrong>> {
    let named = match &request.component {
        Some(name) => {
            let Some(found) = resource::find_by::<Component>(tx, "name", name.into_value())?.pop() else {
                return Ok(Err(("component", "unknown_reference", format!("there is no component {name:?}"))));
            };
            Some(found)
        }
        None => None,
    };
    let Some(id) = request.component_id else {
        let missing = || ("componentId", "required", "componentId or component is required".to_owned());
        return Ok(named.ok_or_else(missing));
    };
    let Some(found) = resource::find::<Component>(tx, id)? else {
        return Ok(Err(("componentId", "unknown_reference", format!("there is no component with id {id}"))));
    };
    Ok(match named {
        Some(named) if named.id != found.id => {
            let message = format!("does not agree with componentId, which is {:?}; give one of them", found.name);
            Err(("component", "mismatch", message))
        }
        Some(_) | None => Ok(found),
    })
}

/// The version that is named; `None` for a digest that is not known yet.
fn find_version(
    tx: &mut Tx<'_>,
    request: &ReleaseComponentRequest,
    component: &Component,
    reader: &Reader,
) -> Result<Result<Option<StoredVersion>, Wrong>> {
    let unknown = |field: &'static str, what: String| {
        let message = format!("{} has no version with {what}; sync its versions, or check the name", component.name);
        (field, "unknown_reference", message)
    };
    if let Some(id) = request.version_id {
        let found = resource::find::<StoredVersion>(tx, id)?.filter(|one| one.version.component_id == component.id);
        return Ok(found.map(Some).ok_or_else(|| unknown("versionId", format!("id {id}"))));
    }
    if let Some(tag) = &request.tag {
        // An older digest of a tag that moved can be named by both.
        let pinned = match request.digest {
            Some(digest) => {
                let all = component_version::by_digest(tx, component.id, digest)?;
                all.into_iter().find(|one| one.version.tag == *tag)
            }
            None => None,
        };
        let found = match pinned {
            Some(pinned) => Some(pinned),
            None => component_version::by_tag(tx, component.id, tag)?,
        };
        return Ok(found.map(Some).ok_or_else(|| unknown("tag", format!("tag {tag:?}"))));
    }
    if let Some(version) = &request.version {
        let text = reader.parse(version).map_or_else(|| version.clone(), |read| read.text().to_owned());
        let found = component_version::by_version(tx, component.id, &text)?.into_iter().next();
        return Ok(found.map(Some).ok_or_else(|| unknown("version", format!("version {version:?}"))));
    }
    match request.digest {
        Some(digest) => Ok(Ok(component_version::by_digest(tx, component.id, digest)?.into_iter().next())),
        None => Ok(Ok(None)),
    }
}

/// What is given beside and says something else.
fn disagreement(request: &ReleaseComponentRequest, found: &ComponentVersion, reader: &Reader) -> Option<Wrong> {
    let wrong =
        |field, is: String| Some((field, "mismatch", format!("does not agree: it is {is}; leave it out, or sync")));
    if request.tag.as_ref().is_some_and(|tag| *tag != found.tag) {
        return wrong("tag", format!("{:?}", found.tag));
    }
    if request.digest.is_some_and(|digest| digest != found.digest) {
        return wrong("digest", found.digest.to_string());
    }
    let same = |version: &String| {
        *version == found.version || reader.parse(version).is_some_and(|read| read.text() == found.version)
    };
    if !request.version.as_ref().is_none_or(same) {
        return wrong("version", found.version.clone());
    }
    None
}

/// A part of a release at one version.
pub(super) fn part(
    component: &Component,
    version: &ComponentVersion,
    request: &ReleaseComponentRequest,
) -> ReleaseComponent {
    ReleaseComponent {
        component_id: component.id,
        component: component.name.clone(),
        version_id: version.id,
        tag: version.tag.clone(),
        version: version.version.clone(),
        digest: version.digest,
        config: request.config.clone(),
    }
}
