//! Putting together what is sealed, outside any transaction: the transaction then only checks that the
//! components are still those that were read.

use plimsoll_core::{
    Digest, Error, ErrorCode, Result,
    component::Component,
    id::{ComponentId, TenantId},
    release::{Referred, Release, SealedRelease, seal},
};
use plimsoll_store::{Lock, Scope, Tx, component_version::StoredVersion, resource};

use crate::App;

/// What will be sealed.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub(super) sealed: SealedRelease,
    pub(super) digest: Digest,
    /// The revisions of the components that it was made of.
    read: Vec<(ComponentId, i64)>,
}

impl App {
    /// What `release` is when it is sealed now. `fresh` are versions that are not stored yet.
    pub(super) async fn prepare_seal(
        &self,
        tenant: TenantId,
        release: &Release,
        fresh: &[StoredVersion],
    ) -> Result<Prepared> {
        let wanted = release.clone();
        let mut referred =
            self.store.read(Scope::Tenant(tenant), "release_referred", move |tx| referred(tx, &wanted)).await?;
        referred.versions.extend(fresh.iter().map(|stored| (stored.version.id, stored.version.clone())));
        let sealed = seal(release, &referred)?;
        let digest = sealed.digest()?;
        let parts = sealed.components.iter().filter_map(|one| referred.components.get(&one.component_id));
        let mut read: Vec<_> = parts.map(|component| (component.id, component.revision)).collect();
        read.sort_unstable();
        Ok(Prepared { sealed, digest, read })
    }
}

fn referred(tx: &mut Tx<'_>, release: &Release) -> Result<Referred> {
    let mut referred = Referred::default();
    for part in &release.components {
        let Some(component) = resource::find::<Component>(tx, part.component_id)? else { continue };
        // For messages about what is missing.
        for id in &component.depends_on {
            if !referred.components.contains_key(id)
                && let Some(needed) = resource::find::<Component>(tx, *id)?
            {
                referred.components.insert(*id, needed);
            }
        }
        referred.components.insert(component.id, component);
        if let Some(stored) = resource::find::<StoredVersion>(tx, part.version_id)? {
            referred.versions.insert(part.version_id, stored.version);
        }
    }
    Ok(referred)
}

impl Prepared {
    /// Checks under their locks that no component changed since it was read.
    pub(super) fn check(&self, tx: &mut Tx<'_>) -> Result<()> {
        for (id, revision) in &self.read {
            let current: Component = resource::get(tx, *id)?;
            if current.revision != *revision {
                let message = format!("the component {:?} was changed while the release was sealed", current.name);
                return Err(Error::new(ErrorCode::VersionMismatch, format!("{message}; repeat the call")));
            }
        }
        Ok(())
    }
}

/// Locks the components of a release, in the order in which everybody does, and checks that they live.
pub(super) fn lock_components(tx: &mut Tx<'_>, release: &Release) -> Result<()> {
    let mut ids: Vec<ComponentId> = release.components.iter().map(|part| part.component_id).collect();
    ids.sort_unstable();
    for id in ids {
        tx.lock(&Lock::Component(id))?;
        resource::get::<Component>(tx, id)?;
    }
    Ok(())
}
