//! Checking bodies against the JSON Schemas of the OpenAPI document, compiled once at start.

use std::collections::BTreeMap;

use jsonschema::{Validator, error::ValidationErrorKind};
use plimsoll_core::{Error, Result, ValidationError};
use serde_json::{Value, json};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{RefOr, schema::Schema},
};

/// Named schemas, as in `#/components/schemas`.
pub(crate) type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Adds `T` and all that it refers to; answers its name.
pub(crate) fn collect<T: ToSchema + PartialSchema>(into: &mut Schemas) -> String {
    let mut found = Vec::new();
    T::schemas(&mut found);
    into.extend(found);
    let name = T::name().into_owned();
    into.insert(name.clone(), T::schema());
    name
}

/// A compiled schema and the names of its fields.
#[derive(Debug)]
pub(crate) struct BodySchema {
    validator: Validator,
    fields: Vec<String>,
}

impl BodySchema {
    /// Compiles the schema of `T`.
    pub(crate) fn compile<T: ToSchema + PartialSchema>() -> Result<Self> {
        let mut schemas = Schemas::new();
        let name = collect::<T>(&mut schemas);
        let failed =
            |cause: String| Error::internal_defect(format!("the schema of {name} cannot be compiled: {cause}"));
        let components = serde_json::to_value(&schemas).map_err(|cause| failed(cause.to_string()))?;
        let fields =
            components[&name]["properties"].as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        let root = json!({ "$ref": format!("#/components/schemas/{name}"), "components": { "schemas": components } });
        let validator = jsonschema::draft202012::options()
            .should_validate_formats(true)
            .build(&root)
            .map_err(|cause| failed(cause.to_string()))?;
        Ok(Self { validator, fields })
    }

    /// Whether the schema names this field.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field == name)
    }

    /// Every mistake in `body`, each with its path.
    pub(crate) fn check(&self, body: &Value) -> Vec<ValidationError> {
        let mut wrong = Vec::new();
        for error in self.validator.iter_errors(body).take(100) {
            let path = field_path(error.instance_path().as_str());
            match error.kind() {
                ValidationErrorKind::AdditionalProperties { unexpected }
                | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
                    wrong.extend(unexpected.iter().map(|name| {
                        ValidationError::new(
                            join(&path, name),
                            "unknown_field",
                            "this field is not known; check its spelling",
                        )
                    }));
                }
                ValidationErrorKind::Required { property } => {
                    let name = property.as_str().unwrap_or_default();
                    wrong.push(ValidationError::new(join(&path, name), "required", "this field is required"));
                }
                kind => wrong.push(ValidationError::new(path, kind.keyword(), error.to_string())),
            }
        }
        wrong
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// `/components/0/digest` as `components[0].digest`.
fn field_path(pointer: &str) -> String {
    let mut out = String::new();
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
    #[test]
    fn pointers_become_paths() {
        assert_eq!(super::field_path("/components/0/digest"), "components[0].digest");
        assert_eq!(super::field_path(""), "");
    }
}
