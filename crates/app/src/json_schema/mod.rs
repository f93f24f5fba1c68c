//! Checking JSON against a JSON Schema, with every mistake named by its path.

mod form;
mod words;

use jsonschema::{ValidationError as Mistake, Validator, error::ValidationErrorKind};
use plimsoll_core::{Error, Result, ValidationError};
use serde_json::Value;

use form::Meant;

/// The most mistakes that are listed.
const LISTED: usize = 100;

/// A compiled schema (JSON Schema 2020-12, formats checked).
#[derive(Debug)]
pub struct JsonSchema(Validator);

impl JsonSchema {
    /// Compiles a schema of ours; `name` says which, for the log.
    pub fn compile(name: &str, schema: &Value) -> Result<Self> {
        jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(schema)
            .map(Self)
            .map_err(|cause| Error::internal_defect(format!("the schema of {name} cannot be compiled: {cause}")))
    }

    /// Every mistake in `value`, which stands at `at` in the body (empty for the body itself).
    pub fn check(&self, value: &Value, at: &str) -> Vec<ValidationError> {
        let mut wrong = Vec::new();
        for error in self.0.iter_errors(value).take(LISTED) {
            report(&error, at, &mut wrong);
        }
        wrong
    }
}

/// Adds what else is wrong, of each field that nothing was said of yet.
pub(crate) fn add_new(wrong: &mut Vec<ValidationError>, more: Vec<ValidationError>) {
    let said: Vec<String> = wrong.iter().map(|one| one.field.clone()).collect();
    wrong.extend(more.into_iter().filter(|one| !said.contains(&one.field)));
}

fn report(error: &Mistake<'_>, at: &str, wrong: &mut Vec<ValidationError>) {
    let path = field_path(at, error.instance_path().as_str());
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            wrong.extend(unexpected.iter().map(|name| {
                ValidationError::new(join(&path, name), "unknown_field", "this field is not known; check its spelling")
            }));
        }
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            wrong.push(ValidationError::new(join(&path, name), "required", "this field is required"));
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            one_of(context, error.instance_path().as_str(), at, wrong);
        }
        kind => wrong.push(ValidationError::new(path, kind.keyword(), words::message(error))),
    }
}

/// The value `pointer` stands for has none of several forms.
fn one_of(forms: &[Vec<Mistake<'static>>], pointer: &str, at: &str, wrong: &mut Vec<ValidationError>) {
    let path = field_path(at, pointer);
    wrong.push(match form::meant(forms, pointer) {
        Meant::Form(mistakes) => return mistakes.iter().for_each(|one| report(one, at, wrong)),
        Meant::Word(place, words) => ValidationError::new(field_path(at, &place), "enum", words::one_of(&words)),
        Meant::NoWord(name) => ValidationError::new(join(&path, &name), "required", "this field is required"),
        Meant::Type(types) => ValidationError::new(path, "type", words::must_be(&types)),
        Meant::Unknown => ValidationError::new(path, "one_of", "must have one of the forms in the documentation"),
    });
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `/components/0/digest` as `components[0].digest`, below `at`.
fn field_path(at: &str, pointer: &str) -> String {
    let mut out = at.to_owned();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(&format!("[{part}]"));
        } else {
            out = join(&out, &part);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn pointers_become_paths() {
        assert_eq!(field_path("", "/components/0/digest"), "components[0].digest");
        assert_eq!(field_path("", ""), "");
        assert_eq!(field_path("config", "/url"), "config.url");
    }

    #[test]
    fn every_mistake_is_listed_with_its_path() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["url"],
            "properties": { "url": { "type": "string" }, "insecure": { "type": "boolean" } }
        });
        let schema = JsonSchema::compile("test", &schema).unwrap();
        let wrong = schema.check(&json!({"insecure": 1, "x": 2}), "config");
        let mut found: Vec<_> = wrong.iter().map(|one| (one.field.as_str(), one.code.as_str())).collect();
        found.sort_unstable();
        assert_eq!(found, [("config.insecure", "type"), ("config.url", "required"), ("config.x", "unknown_field")]);
    }

    #[test]
    fn of_several_forms_the_one_that_was_meant_is_spoken_of() {
        let form = |kind: &str, field: &str| {
            json!({
                "type": "object", "additionalProperties": false, "required": ["type", field],
                "properties": { "type": { "enum": [kind] }, field: { "type": "integer" }, "by": { "enum": ["day"] } }
            })
        };
        let schema = json!({ "properties": { "how": { "oneOf": [form("walk", "steps"), form("ride", "miles")] } } });
        let schema = JsonSchema::compile("test", &schema).unwrap();
        let found = |value: Value| -> Vec<(String, String)> {
            schema.check(&value, "").into_iter().map(|one| (one.field, one.code)).collect()
        };
        let said = |field: &str, code: &str| (field.to_owned(), code.to_owned());
        assert_eq!(found(json!({ "how": { "type": "ride" } })), [said("how.miles", "required")]);
        assert_eq!(found(json!({ "how": { "type": "ride", "miles": 3, "x": 1 } })), [said("how.x", "unknown_field")]);
        assert_eq!(found(json!({ "how": { "type": "ride", "miles": "x" } })), [said("how.miles", "type")]);
        let by_night = json!({ "how": { "type": "ride", "miles": 1, "by": "night" } });
        assert_eq!(found(by_night), [said("how.by", "enum")]);
        assert_eq!(found(json!({ "how": { "type": "swim" } })), [said("how.type", "enum")]);
        assert_eq!(found(json!({ "how": { "steps": 3 } })), [said("how.type", "required")]);
        assert_eq!(found(json!({ "how": "walk" })), [said("how", "type")]);
        let told = schema.check(&json!({ "how": { "type": "swim" } }), "")[0].message.clone();
        assert_eq!(told, "must be one of walk, ride");
        assert!(found(json!({ "how": { "type": "walk", "steps": 3 } })).is_empty());
    }
}
