//! Why something cannot be removed: what refers to it.

use serde::Serialize;

use crate::{Error, ErrorCode, id::TypedId};

/// Something that refers to a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reference {
    /// What it is, such as `component`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Which one.
    pub id: String,
    /// Its name, for people.
    pub name: String,
}

/// The most references that an error lists.
const LISTED: usize = 20;

impl Reference {
    /// A reference by something with an id.
    pub fn new(kind: &'static str, id: impl TypedId, name: impl Into<String>) -> Self {
        Self { kind, id: id.uuid().to_string(), name: name.into() }
    }
}

/// 409 `IN_USE` with `details.references`.
#[must_use]
pub fn in_use(noun: &str, references: &[Reference]) -> Error {
    let listed = &references[..references.len().min(LISTED)];
    let names: Vec<String> = listed.iter().take(5).map(|one| format!("{} {:?}", one.kind, one.name)).collect();
    let more = if references.len() > names.len() { " and others" } else { "" };
    Error::new(ErrorCode::InUse, format!("the {noun} is used by {}{more}; remove it there first", names.join(", ")))
        .details(serde_json::json!({ "references": listed }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::ComponentId;

    #[test]
    fn some_are_named_and_a_bounded_number_is_listed() {
        let references: Vec<_> = (0..30)
            .map(|number| Reference::new("component", ComponentId::from_uuid(uuid::Uuid::nil()), format!("c{number}")))
            .collect();
        let error = in_use("integration", &references);
        assert!(error.message().contains("component \"c0\"") && error.message().contains("and others"));
        assert_eq!(error.public_details().unwrap()["references"].as_array().unwrap().len(), LISTED);
        assert_eq!(error.public_details().unwrap()["references"][0]["type"], "component");
    }
}
