//! What a deciding closure notes besides its own rows.

use std::cell::RefCell;

use plimsoll_core::{
    Result, Timestamp,
    audit::{AuditOutcome, Origin, Principal},
    id::TypedId,
};
use plimsoll_store::{
    Tx,
    audit::{self, AuditEntry},
    event::{self, NewEvent},
};
use serde_json::Value;
use uuid::Uuid;

/// What a deciding closure notes besides its own rows: ids, events and further audit lines. Made anew for
/// each run of the closure, so that a repeated run gives the same ids.
#[derive(Debug)]
pub struct Notes {
    seed: u128,
    drawn: RefCell<u64>,
    at: Timestamp,
    events: Vec<NewEvent>,
    audits: Vec<AuditEntry>,
}

impl Notes {
    pub(crate) fn new(seed: Uuid, at: Timestamp) -> Self {
        Self { seed: seed.as_u128(), drawn: RefCell::new(0), at, events: Vec::new(), audits: Vec::new() }
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
