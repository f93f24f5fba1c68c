//! Checking bodies against the JSON Schemas of the OpenAPI document, compiled once at start.

use std::collections::BTreeMap;

use plimsoll_app::json_schema::JsonSchema;
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

/// Closes the forms of every "one of" in a body's schema: what is not one of a form's fields is refused, in
/// them as in every other object of a request.
pub(crate) fn close_forms(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for form in map.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
                if let Value::Object(form) = form
                    && form.contains_key("properties")
                {
                    form.entry("additionalProperties").or_insert(Value::Bool(false));
                }
            }
            map.values_mut().for_each(close_forms);
        }
        Value::Array(all) => all.iter_mut().for_each(close_forms),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A compiled schema and the names of its fields.
#[derive(Debug)]
pub(crate) struct BodySchema {
    schema: JsonSchema,
    fields: Vec<String>,
}

impl BodySchema {
    /// Compiles the schema of `T`.
    pub(crate) fn compile<T: ToSchema + PartialSchema>() -> Result<Self> {
        let mut schemas = Schemas::new();
        let name = collect::<T>(&mut schemas);
        let mut components = serde_json::to_value(&schemas)
            .map_err(|cause| Error::internal_defect(format!("the schema of {name} is not JSON: {cause}")))?;
        close_forms(&mut components);
        let fields =
            components[&name]["properties"].as_object().map(|map| map.keys().cloned().collect()).unwrap_or_default();
        let root = json!({ "$ref": format!("#/components/schemas/{name}"), "components": { "schemas": components } });
        Ok(Self { schema: JsonSchema::compile(&name, &root)?, fields })
    }

    /// Whether the schema names this field.
    pub(crate) fn has_field(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field == name)
    }

    /// Every mistake in `body`, each with its path.
    pub(crate) fn check(&self, body: &Value) -> Vec<ValidationError> {
        self.schema.check(body, "")
    }
}
