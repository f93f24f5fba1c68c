//! A decided change: what is answered, and what the trail says of it.

use plimsoll_core::{Error, Result, id::TypedId};
use plimsoll_store::idempotency::StoredAnswer;
use serde::Serialize;
use serde_json::Value;

/// How a change is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200.
    Done,
    /// 201 with the new resource's path below `/api/v1`.
    Created(String),
    /// 204.
    Gone,
}

/// A decided change: what is answered and what the trail says of it.
#[derive(Debug)]
pub struct Change<T> {
    /// The answer.
    pub value: T,
    /// How it is answered.
    pub outcome: Outcome,
    /// The kind of resource, for the trail.
    pub resource_type: &'static str,
    /// Which one.
    pub resource_id: String,
    /// The change as a merge patch, secrets redacted.
    pub patch: Option<Value>,
    /// For `ETag`.
    pub revision: Option<i64>,
    /// What the call is refused with, though what was noted is committed.
    pub refusal: Option<Error>,
}

impl<T: Serialize> Change<T> {
    /// Something new; the patch is the whole of it.
    pub fn created(path: &str, resource_type: &'static str, id: impl TypedId, value: T) -> Result<Self> {
        let patch = serde_json::to_value(&value)
            .map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))?;
        Ok(Self {
            outcome: Outcome::Created(format!("/api/v1/{path}/{}", id.uuid())),
            resource_type,
            resource_id: id.uuid().to_string(),
            revision: patch.get("revision").and_then(Value::as_i64),
            patch: Some(patch),
            value,
            refusal: None,
        })
    }

    /// Something changed.
    pub fn done(resource_type: &'static str, id: impl TypedId, before: &Value, value: T) -> Result<Self> {
        let after = serde_json::to_value(&value)
            .map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))?;
        Ok(Self {
            outcome: Outcome::Done,
            resource_type,
            resource_id: id.uuid().to_string(),
            patch: Some(plimsoll_core::audit::merge_patch(before, &after)),
            revision: after.get("revision").and_then(Value::as_i64),
            value,
            refusal: None,
        })
    }

    /// Refuses the call, and commits what the closure wrote all the same: for a refusal that must leave a record.
    #[must_use]
    pub fn refused(mut self, error: Error) -> Self {
        self.refusal = Some(error);
        self
    }

    /// Another patch than the answer itself, where the answer shows a secret or says more than changed.
    #[must_use]
    pub fn with_patch(mut self, patch: Option<Value>) -> Self {
        self.patch = patch;
        self
    }
}

impl Change<()> {
    /// Something removed.
    pub fn gone(resource_type: &'static str, id: impl TypedId) -> Self {
        Self {
            value: (),
            outcome: Outcome::Gone,
            resource_type,
            resource_id: id.uuid().to_string(),
            patch: None,
            revision: None,
            refusal: None,
        }
    }
}

/// The answer to a mutation: JSON bytes that were committed with the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Status, data, `Location`, and the revision for `ETag`.
    pub answer: StoredAnswer,
    /// Whether it is the stored answer of an earlier call.
    pub replayed: bool,
}

impl Reply {
    /// 200 to a call that could have changed something and did not: a dry run.
    pub fn unchanged<T: Serialize>(value: &T) -> Result<Self> {
        let answer = serde_json::to_vec(value)
            .map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))?;
        let answer = StoredAnswer { status: 200, answer, location: None, reference: None, revision: None };
        Ok(Self { answer, replayed: false })
    }
}
