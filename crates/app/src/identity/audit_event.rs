//! The audit trail, read.

use plimsoll_core::{Result, audit::AuditEvent, id::AuditEventId};
use plimsoll_store::resource::{self, ListQuery, Listing, Stored};

use crate::{App, Caller};

impl App {
    /// A page of the trail.
    pub async fn audit_event_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Stored>> {
        self.store.list_stored::<AuditEvent>(caller.scope(), "audit_event_list", query).await
    }

    /// One line of the trail.
    pub async fn audit_event_get(&self, caller: &Caller, id: AuditEventId) -> Result<AuditEvent> {
        self.store.read(caller.scope(), "audit_event_get", move |tx| resource::get(tx, id)).await
    }
}
