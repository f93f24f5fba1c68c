//! The tags that are known already, read as the component's scheme reads them now.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Result,
    component::versioning::Reader,
    id::{ComponentId, VersionId},
};
use plimsoll_store::{
    Lock, Scope,
    component_version::{self, KnownTag, StoredVersion},
    release, resource,
};

use super::record::BATCH;
use crate::App;

/// Rows read at once.
const CHUNK: u32 = 1_000;
/// Versions in open releases that are looked at each time.
const IN_USE: u32 = 300;

impl App {
    /// All tags in force, in chunks: a repository may have very many.
    pub(super) async fn known_tags(&self, scope: Scope, id: ComponentId) -> Result<BTreeMap<String, KnownTag>> {
        let mut all = BTreeMap::new();
        let mut after = String::new();
        loop {
            let from = after.clone();
            let chunk = self
                .store
                .read(scope, "component_sync_known", move |tx| component_version::known_tags(tx, id, &from, CHUNK))
                .await?;
            let Some(last) = chunk.last() else { return Ok(all) };
            last.tag.clone_into(&mut after);
            all.extend(chunk.into_iter().map(|known| (known.tag.clone(), known)));
        }
    }

    /// The versions that open releases name.
    pub(super) async fn versions_in_use(&self, scope: Scope, id: ComponentId) -> Result<BTreeSet<VersionId>> {
        let read = move |tx: &mut plimsoll_store::Tx<'_>| release::open_versions(tx, id, IN_USE);
        Ok(self.store.read(scope, "component_sync_in_use", read).await?.into_iter().collect())
    }

    /// Brings text and order of known versions in line with the scheme, which may have changed. One that
    /// it no longer reads keeps its tag as text and comes last.
    pub(super) async fn read_anew(
        &self,
        scope: Scope,
        id: ComponentId,
        reader: &Reader,
        known: &mut BTreeMap<String, KnownTag>,
    ) -> Result<()> {
        let mut changed = Vec::new();
        for row in known.values_mut() {
            let (text, key) = match reader.parse(&row.tag) {
                Some(version) => (version.text().to_owned(), version.sort_key()),
                None => (row.tag.clone(), String::new()),
            };
            if row.version != text || row.sort_key != key {
                (row.version, row.sort_key) = (text, key);
                changed.push(row.clone());
            }
        }
        for chunk in changed.chunks(BATCH) {
            let chunk = chunk.to_vec();
            self.store
                .write(scope, "component_sync_read_anew", move |tx| {
                    tx.lock(&Lock::Component(id))?;
                    for row in &chunk {
                        let mut stored: StoredVersion = resource::get(tx, row.id)?;
                        (stored.version.version, stored.sort_key) = (row.version.clone(), row.sort_key.clone());
                        resource::update(tx, &mut stored)?;
                    }
                    Ok(())
                })
                .await?;
        }
        Ok(())
    }
}
