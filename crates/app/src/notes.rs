//! What a deciding closure notes besides its own rows.

use std::cell::RefCell;

use plimsoll_core::{
    Digest, Result, Timestamp,
    audit::{AuditOutcome, Origin, Principal},
    context::Context,
    id::TypedId,
};
use plimsoll_store::{
    Tx,
    audit::{self, AuditEntry},
    event::{self, NewEvent},
};
use serde_json::Value;
use uuid::Uuid;

/// What the ids and salts of one change are made of; drawn before its transaction, so that a repeated run of
/// it makes the same.
#[derive(Clone, Copy)]
pub(crate) struct Seed {
    id: Uuid,
    salt: [u8; 32],
}

impl Seed {
    pub(crate) fn draw(context: &Context) -> Self {
        Self { id: context.uuid(), salt: context.random() }
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

/// What a deciding closure notes besides its own rows: ids, events and further audit lines. Made anew for
/// each run of the closure, so that a repeated run gives the same ids.
pub struct Notes {
    seed: u128,
    salt: [u8; 32],
    drawn: RefCell<u64>,
    at: Timestamp,
    events: Vec<NewEvent>,
    audits: Vec<AuditEntry>,
}

impl std::fmt::Debug for Notes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notes").field("at", &self.at).field("events", &self.events).finish_non_exhaustive()
    }
}

impl Notes {
    pub(crate) fn new(seed: Seed, at: Timestamp) -> Self {
        let Seed { id, salt } = seed;
        Self { seed: id.as_u128(), salt, drawn: RefCell::new(0), at, events: Vec::new(), audits: Vec::new() }
    }

    /// The next id. All ids of one change differ in their last bits alone.
    pub fn id<I: TypedId>(&self) -> I {
        let mut drawn = self.drawn.borrow_mut();
        *drawn += 1;
        let low = (self.seed as u64).wrapping_add(*drawn);
        // Variant bits of RFC 9562 stay as they were.
        let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        I::from_uuid(Uuid::from_u128((self.seed & !u128::from(u64::MAX)) | u128::from(low)))
    }

    /// 32 bytes for `purpose` that nobody can guess who does not have them.
    pub(crate) fn salt(&self, purpose: &[u8]) -> [u8; 32] {
        *Digest::of(&[self.salt.as_slice(), purpose].concat()).as_bytes()
    }

    /// The instant of the change.
    pub const fn now(&self) -> Timestamp {
        self.at
    }

    /// Notes an event of `topic`'s resource; `parent` is whose stream carries it too.
    pub fn event(
        &mut self,
        topic: &'static str,
        id: impl TypedId,
        parent: Option<Uuid>,
        kind: &'static str,
        data: Value,
    ) {
        let event = NewEvent {
            id: self.id(),
            at: self.at,
            topic,
            resource_id: id.uuid().to_string(),
            parent_id: parent.map(|id| id.to_string()),
            kind,
            data,
        };
        self.events.push(event);
    }

    /// Notes a further line for the trail, where one call changes several resources.
    pub fn audit(
        &mut self,
        action: &'static str,
        resource_type: &'static str,
        id: impl TypedId,
        change: Option<Value>,
    ) {
        let entry = AuditEntry {
            id: self.id(),
            at: self.at,
            action,
            resource_type,
            resource_id: Some(id.uuid().to_string()),
            outcome: AuditOutcome::Succeeded,
            error_code: None,
            change,
        };
        self.audits.push(entry);
    }

    pub(crate) fn write(self, tx: &mut Tx<'_>, principal: &Principal, origin: &Origin) -> Result<()> {
        for entry in self.audits {
            audit::append(tx, principal, origin, entry)?;
        }
        for event in &self.events {
            event::append(tx, event)?;
        }
        Ok(())
    }
}
