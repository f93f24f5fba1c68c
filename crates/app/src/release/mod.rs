//! Releases: immutable sets of component versions of one application.

mod change;
mod from_latest;
mod parts;
mod prepare;
mod state;

use plimsoll_core::{
    Error, ErrorCode, Result,
    component::versioning::Reader,
    id::ReleaseId,
    in_use::in_use,
    release::{
        Deprecation, Release, ReleaseCommand, ReleaseStatus, SealedRelease,
        compare::{self, ReleaseComparison, Side},
        state as moves,
    },
};
use plimsoll_protocol::release::{CreateRelease, DeprecateRequest};
use plimsoll_store::{
    Lock, Tx,
    component_version::StoredVersion,
    release as rows,
    resource::{self, ListQuery, Listing, Stored},
};
use serde_json::json;

use parts::Parts;
use prepare::{Prepared, lock_components};

use crate::{App, Caller, Change, Notes, Reply};

/// A release on its way into the database.
#[derive(Clone, Debug)]
struct Draft {
    release: Release,
    fresh: Vec<StoredVersion>,
    /// Present when it is sealed at once.
    prepared: Option<Prepared>,
}

impl App {
    /// Makes a release: a draft, or with `finalize` a sealed one.
    pub async fn release_create(&self, caller: &Caller, body: CreateRelease) -> Result<Reply> {
        let ask = async {
            let parts = self.find_parts(caller.tenant(), body.components.clone(), Vec::new()).await?;
            self.draft(caller, &body, parts).await
        };
        self.outside(caller, ask, |draft, tx, notes| {
            let release = insert(tx, notes, draft)?;
            Change::created("releases", "release", release.id, release)
        })
        .await
    }

    /// A new release of `parts`, prepared for sealing if it is to be final.
    async fn draft(&self, caller: &Caller, body: &CreateRelease, parts: Parts) -> Result<Draft> {
        let (user, now) = (caller.principal.user, caller.now);
        let release = Release {
            id: self.context.id(),
            name: body.name.clone(),
            version: body.version.clone(),
            status: ReleaseStatus::Draft,
            components: parts.components,
            variables: body.variables.clone(),
            notes: body.notes.clone(),
            source: body.source.clone(),
            channel: body.channel.clone(),
            labels: body.labels.clone(),
            digest: None,
            sealed_at: None,
            deprecation: None,
            created_by: user,
            makers: vec![user],
            revision: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        let prepared =
            if body.finalize { Some(self.prepare_seal(caller.tenant(), &release, &parts.fresh).await?) } else { None };
        Ok(Draft { release, fresh: parts.fresh, prepared })
    }

    /// A page of releases.
    pub async fn release_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Stored>> {
        self.store.list_stored::<Release>(caller.scope(), "release_list", query).await
    }

    /// One release.
    pub async fn release_get(&self, caller: &Caller, id: ReleaseId) -> Result<Release> {
        self.store.read(caller.scope(), "release_get", move |tx| resource::get(tx, id)).await
    }

    /// Says that a release should not be used any more, or says so with another reason.
    pub async fn release_deprecate(&self, caller: &Caller, id: ReleaseId, body: DeprecateRequest) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            tx.lock(&Lock::Release(id))?;
            let current: Release = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            let status = moves::next(current.status, ReleaseCommand::Deprecate)?;
            let deprecation = Deprecation {
                reason: body.reason.clone(),
                block: body.block,
                at: notes.now(),
                by: owned.principal.user,
            };
            let mut next =
                Release { status, deprecation: Some(deprecation), updated_at: notes.now(), ..current.clone() };
            resource::update(tx, &mut next)?;
            notes.event(
                "release",
                id,
                None,
                "release.deprecated",
                json!({ "reason": body.reason, "block": body.block }),
            );
            Change::done("release", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes a release that nothing refers to.
    pub async fn release_delete(&self, caller: &Caller, id: ReleaseId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            tx.lock(&Lock::Release(id))?;
            let current: Release = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            moves::next(current.status, ReleaseCommand::Delete)?;
            let references = rows::references(tx, id)?;
            if !references.is_empty() {
                return Err(in_use("release", &references));
            }
            resource::soft_delete(tx, &current, notes.now())?;
            rows::remove_components(tx, id)?;
            notes.event("release", id, None, "release.deleted", json!({}));
            Ok(Change::gone("release", id))
        })
        .await
    }

    /// What going from one release to another changes. A draft counts as it would be sealed now.
    pub async fn release_compare(&self, caller: &Caller, from: ReleaseId, to: ReleaseId) -> Result<ReleaseComparison> {
        let (before, after) = (self.content(caller, from).await?, self.content(caller, to).await?);
        let ids: Vec<_> = after.components.iter().map(|one| one.component_id).collect();
        let components = self
            .store
            .read(caller.scope(), "release_compare", move |tx| {
                ids.iter().map(|id| resource::find_any(tx, *id)).collect::<Result<Vec<_>>>()
            })
            .await?;
        let components: Vec<plimsoll_core::component::Component> = components.into_iter().flatten().collect();
        let readers = components
            .iter()
            .map(|component| Ok((component.id, Reader::new(&component.versioning)?)))
            .collect::<Result<_>>()?;
        compare::compare(Side { id: from, sealed: &before }, Side { id: to, sealed: &after }, &readers)
    }

    async fn content(&self, caller: &Caller, id: ReleaseId) -> Result<SealedRelease> {
        let release = self.release_get(caller, id).await?;
        match release.status {
            ReleaseStatus::Draft => Ok(self.prepare_seal(caller.tenant(), &release, &[]).await?.sealed),
            ReleaseStatus::Ready | ReleaseStatus::Deprecated => {
                let read = move |tx: &mut Tx<'_>| rows::seal(tx, id);
                Ok(self.store.read(caller.scope(), "release_seal", read).await?.0)
            }
        }
    }
}

/// Writes a new release with all that belongs to it.
fn insert(tx: &mut Tx<'_>, notes: &mut Notes, draft: &Draft) -> Result<Release> {
    let mut release = draft.release.clone();
    lock_components(tx, &release)?;
    store_fresh(tx, &mut release, &draft.fresh)?;
    if let Some(prepared) = &draft.prepared {
        prepared.check(tx)?;
        apply_seal(&mut release, prepared, notes)?;
    }
    if !resource::try_insert(tx, &release)? {
        return Err(name_taken(&release));
    }
    rows::set_components(tx, &release)?;
    if let Some(prepared) = &draft.prepared {
        rows::keep_seal(tx, release.id, prepared.digest, &prepared.sealed)?;
    }
    notes.event("release", release.id, None, "release.created", resource::as_json(&release)?);
    if draft.prepared.is_some() {
        notes.event("release", release.id, None, "release.sealed", json!({ "digest": release.digest }));
    }
    Ok(release)
}

/// Stores versions that were given by their digest.
fn store_fresh(tx: &mut Tx<'_>, release: &mut Release, fresh: &[StoredVersion]) -> Result<()> {
    for stored in fresh {
        resource::insert(tx, stored)?;
        debug_assert!(release.components.iter().any(|part| part.version_id == stored.version.id));
    }
    Ok(())
}

/// Makes a draft ready.
fn apply_seal(release: &mut Release, prepared: &Prepared, notes: &Notes) -> Result<()> {
    release.status = moves::next(release.status, ReleaseCommand::Seal)?;
    release.digest = Some(prepared.digest);
    release.sealed_at = Some(notes.now());
    Ok(())
}

fn name_taken(release: &Release) -> Error {
    Error::new(ErrorCode::AlreadyExists, format!("{} exists already; choose another version", release.reference()))
}
