//! PUT: what was sent, and the read-only fields that a client may send back unchanged.

use plimsoll_core::{Error, Result, ValidationError};
use serde::Serialize;
use serde_json::{Map, Value};

/// The body of a PUT.
#[derive(Clone, Debug)]
pub struct Replace<T> {
    /// All writable fields; what was omitted is at its default.
    pub body: T,
    /// Read-only fields of the resource that were sent along.
    pub read_only: Map<String, Value>,
}

impl<T> Replace<T> {
    /// The same without read-only fields that change by themselves between a GET and a PUT.
    #[must_use]
    pub fn without(mut self, observed: &[&str]) -> Self {
        self.read_only.retain(|name, _| !observed.contains(&name.as_str()));
        self
    }

    /// Refuses read-only fields whose value differs from the resource's, naming each.
    pub fn check_read_only<R: Serialize>(&self, current: &R) -> Result<()> {
        let current = serde_json::to_value(current)
            .map_err(|cause| Error::internal_defect(format!("a resource is not JSON: {cause}")))?;
        let wrong: Vec<ValidationError> = self
            .read_only
            .iter()
            .filter(|(name, sent)| current.get(name.as_str()).unwrap_or(&Value::Null) != *sent)
            .map(|(name, _)| {
                ValidationError::new(name, "read_only", "this field can only be read; leave it out or unchanged")
            })
            .collect();
        if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
    }
}
