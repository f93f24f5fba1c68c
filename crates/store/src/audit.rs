//! The audit trail: appended in the transaction of the change, never changed.

use plimsoll_core::{
    Digest, Result, Timestamp,
    audit::{AuditEvent, AuditOutcome, Origin, Principal},
    canonical,
    id::AuditEventId,
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

/// What is to be recorded of one attempt.
#[derive(Clone, Debug)]
pub struct AuditEntry {
    /// The event's id, made before the transaction.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// The operation's id.
    pub action: &'static str,
    /// The kind of resource.
    pub resource_type: &'static str,
    /// Which one.
    pub resource_id: Option<String>,
    /// Done or refused.
    pub outcome: AuditOutcome,
    /// Why it was refused.
    pub error_code: Option<String>,
    /// The change as a merge patch, secrets redacted.
    pub change: Option<serde_json::Value>,
}

/// Appends to the trail. Its failure fails the whole transaction.
pub fn append(tx: &mut Tx<'_>, principal: &Principal, origin: &Origin, entry: AuditEntry) -> Result<()> {
    let tenant = tx.tenant()?;
    let mut event = AuditEvent {
        id: entry.id,
        at: entry.at,
        principal_type: principal.kind,
        principal_id: principal.id,
        principal_name: principal.name.clone(),
        on_behalf_of: principal.on_behalf_of(),
        action: entry.action.to_owned(),
        resource_type: entry.resource_type.to_owned(),
        resource_id: entry.resource_id,
        outcome: entry.outcome,
        error_code: entry.error_code,
        change: entry.change,
        request_id: origin.request_id.clone(),
        address: origin.address.clone(),
        user_agent: origin.user_agent.clone(),
        digest: Digest::from_bytes([0; 32]),
    };
    let canonical = canonical_bytes(&event)?;
    event.digest = Digest::of(&canonical);
    let body = serde_json::to_string(&event)
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("an audit event is not JSON: {cause}")))?;
    tx.execute(
        "INSERT INTO audit_event (tenant_id, id, revision, created_at, body, principal_type, principal_id, action,
           resource_type, resource_id, outcome, request_id, canonical, digest, on_behalf_of)
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        params![
            tenant,
            event.id,
            event.at,
            body,
            event.principal_type.as_str(),
            event.principal_id,
            &event.action,
            &event.resource_type,
            event.resource_id.as_deref(),
            outcome_word(event.outcome),
            &event.request_id,
            canonical,
            event.digest,
            event.on_behalf_of
        ],
    )?;
    enqueue(tx, event.id.to_string(), event.at)
}

/// The bytes that the Merkle log will hash: the event without its own digest and without the person's
/// address and program, which can be erased.
fn canonical_bytes(event: &AuditEvent) -> Result<Vec<u8>> {
    let mut value = serde_json::to_value(event)
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("an audit event is not JSON: {cause}")))?;
    if let Some(map) = value.as_object_mut() {
        for key in ["digest", "address", "userAgent"] {
            map.remove(key);
        }
    }
    canonical::to_vec(&value)
}

const fn outcome_word(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Succeeded => "succeeded",
        AuditOutcome::Refused => "refused",
    }
}

fn enqueue(tx: &mut Tx<'_>, id: String, at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("INSERT INTO unsequenced (tenant_id, event_id, at) VALUES ($1, $2, $3)", params![tenant, id, at])
        .map(drop)
}

impl Resource for AuditEvent {
    type Id = AuditEventId;
    const TABLE: Table = Table {
        name: "audit_event",
        noun: "audit event",
        fields: &[
            Field {
                api: "principalType",
                column: "principal_type",
                kind: FieldKind::Enum(&["user", "client", "agent", "system"]),
                sortable: true,
            },
            Field { api: "principalId", column: "principal_id", kind: FieldKind::Id, sortable: false },
            Field { api: "onBehalfOf", column: "on_behalf_of", kind: FieldKind::Id, sortable: false },
            Field { api: "action", column: "action", kind: FieldKind::Text, sortable: true },
            Field { api: "resourceType", column: "resource_type", kind: FieldKind::Text, sortable: true },
            Field { api: "resourceId", column: "resource_id", kind: FieldKind::Text, sortable: false },
            Field {
                api: "outcome",
                column: "outcome",
                kind: FieldKind::Enum(&["succeeded", "refused"]),
                sortable: true,
            },
            Field { api: "requestId", column: "request_id", kind: FieldKind::Text, sortable: false },
            Field { api: "at", column: "created_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&[], "at"),
            Indexed::new(&["principalId"], "at"),
            Indexed::new(&["resourceType", "resourceId"], "at"),
            Indexed::new(&["onBehalfOf"], "at"),
            Indexed::new(&["requestId"], ""),
        ],
    };
    fn id(&self) -> AuditEventId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.at
    }
    fn revision(&self) -> i64 {
        1
    }
    fn set_revision(&mut self, _: i64) {}
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.principal_type.as_str().into_value(),
            self.principal_id.into_value(),
            self.on_behalf_of.into_value(),
            self.action.as_str().into_value(),
            self.resource_type.as_str().into_value(),
            self.resource_id.as_deref().into_value(),
            outcome_word(self.outcome).into_value(),
            self.request_id.as_str().into_value(),
            self.at.into_value(),
        ]
    }
}
