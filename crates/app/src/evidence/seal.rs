//! Sealing: the exact bytes of a statement, in the transaction that decides.

use std::collections::BTreeMap;

use plimsoll_core::{
    Digest, Error, Result, canonical,
    evidence_packet::{EvidencePacket, EvidenceStatus, EvidenceSubject, EvidenceType, predicate::OmittedField},
    id::EvidencePacketId,
};
use plimsoll_evidence::{MAX_STATEMENT_BYTES, PredicateType, Statement, Subject};
use plimsoll_store::{Tx, evidence_packet};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Hidden, hide};
use crate::Notes;

/// Smaller fields always stay: to leave them out would hardly help.
const WORTH_LEAVING_OUT: usize = 16 * 1024;

/// A packet before it has a number: what it is about and what it says.
pub(crate) struct Draft {
    pub(crate) kind: EvidenceType,
    pub(crate) predicate: PredicateType,
    pub(crate) subjects: BTreeMap<String, Digest>,
    pub(crate) says: Hidden,
}

impl Draft {
    /// A draft that says `says`, with names as hashes.
    pub(crate) fn new(
        notes: &Notes,
        (kind, predicate): (EvidenceType, PredicateType),
        subjects: BTreeMap<String, Digest>,
        says: &impl Serialize,
    ) -> Result<Self> {
        let says = serde_json::to_value(says)
            .map_err(|cause| Error::internal_defect(format!("a predicate is not JSON: {cause}")))?;
        Ok(Self { kind, predicate, subjects, says: hide(notes, says) })
    }
}

/// Seals a packet in the running transaction; `fill` sets what it belongs to.
pub(crate) fn seal(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    draft: Draft,
    fill: impl FnOnce(&mut EvidencePacket),
) -> Result<EvidencePacketId> {
    let Hidden { says, people } = draft.says;
    let subjects: Vec<Subject> =
        draft.subjects.iter().map(|(name, digest)| Subject::new(name.clone(), *digest)).collect();
    let canonical = bounded(draft.predicate, &subjects, says)?;
    let mut packet = EvidencePacket {
        id: notes.id(),
        kind: draft.kind,
        status: EvidenceStatus::Sealed,
        subject: draft.subjects.into_iter().map(|(name, digest)| EvidenceSubject { name, digest }).collect(),
        release_id: None,
        release_digest: None,
        environment_id: None,
        promotion_id: None,
        deployment_job_id: None,
        created_at: notes.now(),
        statement: serde_json::from_slice(&canonical)
            .map_err(|cause| Error::internal_defect(format!("a statement is not JSON: {cause}")))?,
        envelope: None,
        key_id: None,
        log_index: None,
        problem: None,
        people: Vec::new(),
    };
    fill(&mut packet);
    evidence_packet::seal(tx, &packet, &canonical, &people)?;
    crate::failpoint::hit("server::evidence_sealed");
    Ok(packet.id)
}

/// The canonical bytes of a statement that can be signed. What is decided must not fail for the size of its
/// record: where it would be too large, its largest fields are left out and named with their digests.
fn bounded(predicate: PredicateType, subjects: &[Subject], says: Value) -> Result<Vec<u8>> {
    let write = |says: &Value| Statement::new(predicate, subjects.to_vec(), says)?.to_canonical();
    let whole = write(&says)?;
    if whole.len() <= MAX_STATEMENT_BYTES {
        return Ok(whole);
    }
    let Value::Object(mut fields) = says else { return Ok(whole) };
    let sizes = sizes(&fields)?;
    let mut surplus = whole.len().saturating_sub(MAX_STATEMENT_BYTES - WORTH_LEAVING_OUT);
    let mut omitted = Vec::new();
    for one in sizes {
        if surplus == 0 || one.bytes < WORTH_LEAVING_OUT as u64 {
            break;
        }
        fields.remove(&one.field);
        surplus = surplus.saturating_sub(usize::try_from(one.bytes).unwrap_or(usize::MAX));
        omitted.push(one);
    }
    tracing::warn!(predicate = %predicate, bytes = whole.len(), omitted = ?omitted, "a statement leaves out what would make it too large");
    let omitted = serde_json::to_value(omitted)
        .map_err(|cause| Error::internal_defect(format!("a list of fields is not JSON: {cause}")))?;
    fields.insert("omitted".to_owned(), omitted);
    write(&Value::Object(fields))
}

/// Each field with its size, the largest first.
fn sizes(fields: &Map<String, Value>) -> Result<Vec<OmittedField>> {
    let mut sizes = Vec::with_capacity(fields.len());
    for (field, value) in fields {
        let bytes = canonical::to_vec(value)?;
        sizes.push(OmittedField { field: field.clone(), digest: Digest::of(&bytes), bytes: bytes.len() as u64 });
    }
    sizes.sort_by_key(|one| std::cmp::Reverse(one.bytes));
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use plimsoll_evidence::SigningKey;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_statement_is_never_too_large_to_be_signed() {
        let subjects = [Subject::new("api", Digest::of(b"api"))];
        let key = SigningKey::generate().unwrap();
        let (some, most) = ("x".repeat(MAX_STATEMENT_BYTES / 2), "y".repeat(MAX_STATEMENT_BYTES));
        for (says, kept, omitted) in [
            (json!({"a": "b"}), json!("b"), json!(null)),
            (json!({"a": some, "z": most}), json!(some), json!(["z"])),
            (json!({"a": most, "y": most, "z": some}), json!(null), json!(["a", "y"])),
        ] {
            let bytes = bounded(PredicateType::Deployment, &subjects, says).unwrap();
            key.sign_canonical(&bytes).unwrap();
            let statement = Statement::from_canonical(&bytes).unwrap();
            let predicate = statement.predicate();
            assert_eq!(predicate.get("a").cloned().unwrap_or_default(), kept);
            let named = predicate
                .get("omitted")
                .map_or(json!(null), |all| all.as_array().unwrap().iter().map(|one| one["field"].clone()).collect());
            assert_eq!(named, omitted);
        }
    }
}
