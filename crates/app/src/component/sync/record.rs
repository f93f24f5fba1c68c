//! Writing down what a sync saw, some fifty tags a transaction.

use plimsoll_core::{
    Error, ErrorCode, Result,
    audit::Principal,
    component::{Component, SyncResult},
    id::ComponentId,
};
use plimsoll_store::{
    Lock, Tx,
    component_version::{self, KnownTag, StoredVersion},
    resource,
};
use serde_json::json;

use super::look::{Facts, Seen};
use crate::{App, Notes};

/// Tags written in one transaction.
pub(super) const BATCH: usize = 50;
/// Failures that are told.
const FAILURES: usize = 100;

/// Writes what is seen, and counts it.
pub(super) struct Recorder<'a> {
    app: &'a App,
    principal: &'a Principal,
    component: Component,
    pub(super) result: SyncResult,
    /// Whether the registry can't be asked for now.
    pub(super) stopped: bool,
}

/// One thing to be written.
#[derive(Clone, Debug)]
enum Change {
    Added(StoredVersion),
    Moved { from: KnownTag, to: StoredVersion },
    Checked(KnownTag),
}

impl<'a> Recorder<'a> {
    pub(super) fn new(app: &'a App, principal: &'a Principal, component: Component) -> Self {
        Self { app, principal, component, result: SyncResult::default(), stopped: false }
    }

    pub(super) async fn record(&mut self, batch: Vec<Seen>) -> Result<()> {
        let mut changes = Vec::with_capacity(batch.len());
        for seen in batch {
            match seen {
                Seen::New(new, facts) => {
                    let (text, key) = (new.version.text().to_owned(), new.version.sort_key());
                    changes.push(Change::Added(self.found(facts, new.tag, text, key)));
                }
                Seen::Moved(from, facts) => {
                    let (tag, text, key) = (from.tag.clone(), from.version.clone(), from.sort_key.clone());
                    changes.push(Change::Moved { from, to: self.found(facts, tag, text, key) });
                }
                Seen::Same(known) => changes.push(Change::Checked(known)),
                Seen::Failed(failure) => self.fail(failure),
                Seen::Stopped(failure) => {
                    self.stopped = true;
                    self.fail(failure);
                }
            }
        }
        if changes.is_empty() {
            return Ok(());
        }
        let component = self.component.clone();
        let counted = self
            .app
            .act(self.principal, "component_sync_versions", move |tx, notes| write(tx, notes, &component, &changes))
            .await?;
        self.result.added += counted.added;
        self.result.moved += counted.moved;
        self.result.unchanged += counted.unchanged;
        Ok(())
    }

    fn fail(&mut self, failure: plimsoll_core::component::SyncFailure) {
        if self.result.failed.len() < FAILURES {
            self.result.failed.push(failure);
        }
    }

    /// A version that was found now. Its id is made here: the transaction may run twice.
    fn found(&self, facts: Facts, tag: String, text: String, sort_key: String) -> StoredVersion {
        let context = &self.app.context;
        StoredVersion::new(facts.version(context.id(), self.component.id, tag, text, context.now()), sort_key)
    }
}

#[derive(Debug, Default)]
struct Counted {
    added: u64,
    moved: u64,
    unchanged: u64,
}

fn write(tx: &mut Tx<'_>, notes: &mut Notes, component: &Component, changes: &[Change]) -> Result<Counted> {
    let id = component.id;
    tx.lock(&Lock::Component(id))?;
    let current: Component = resource::get(tx, id)?;
    if super::reads_other_tags(component, &current) {
        let message = "the component was changed while its versions were synced; sync it again";
        return Err(Error::new(ErrorCode::StateConflict, message));
    }
    let (mut counted, mut added, mut moved) = (Counted::default(), Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Added(stored) => {
                if resource::try_insert(tx, stored)? {
                    component_version::checked(tx, stored.version.id, notes.now())?;
                    added.push(json!({ "tag": stored.version.tag, "digest": stored.version.digest }));
                    counted.added += 1;
                } else {
                    counted.unchanged += 1;
                }
            }
            Change::Moved { from, to } => {
                if !component_version::supersede(tx, from.id, notes.now())? {
                    counted.unchanged += 1;
                    continue;
                }
                resource::insert(tx, to)?;
                component_version::checked(tx, to.version.id, notes.now())?;
                let data = json!({
                    "tag": from.tag, "from": from.digest, "to": to.version.digest,
                    "supersededVersionId": from.id, "versionId": to.version.id,
                });
                notes.event("component", id, None, "component.tag_moved", data.clone());
                moved.push(data);
                counted.moved += 1;
            }
            Change::Checked(known) => {
                component_version::checked(tx, known.id, notes.now())?;
                counted.unchanged += 1;
            }
        }
    }
    note(notes, id, added, moved);
    Ok(counted)
}

fn note(notes: &mut Notes, id: ComponentId, added: Vec<serde_json::Value>, moved: Vec<serde_json::Value>) {
    if !added.is_empty() {
        notes.event("component", id, None, "component.versions_added", json!({ "versions": added }));
    }
    if !added.is_empty() || !moved.is_empty() {
        let change = json!({ "versions": { "added": added, "moved": moved } });
        notes.audit("component_sync_versions", "component", id, Some(change));
    }
}
