//! JSON Schemas (2020-12) of the predicates, made of their types.

use serde_json::{Map, Value, json};
use utoipa::{PartialSchema as _, ToSchema};

use super::predicate::{DecisionPredicate, GovernancePredicate, JobPredicate, OmittedField, StickerPredicate};
use crate::{Error, Result};

/// Where the OpenAPI types look for each other.
const COMPONENTS: &str = "#/components/schemas/";

/// The schema of each predicate type, by the last word of its URI but one.
pub fn all() -> Result<Vec<(&'static str, Value)>> {
    Ok(vec![
        ("promotion-decision", of::<DecisionPredicate>("promotion-decision")?),
        ("deployment", of::<JobPredicate>("deployment")?),
        ("rollback", of::<JobPredicate>("rollback")?),
        ("governance-change", of::<GovernancePredicate>("governance-change")?),
        ("sticker", of::<StickerPredicate>("sticker")?),
    ])
}

fn of<T: ToSchema>(word: &str) -> Result<Value> {
    let mut parts = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut parts);
    parts.push((OmittedField::name().into_owned(), OmittedField::schema()));
    OmittedField::schemas(&mut parts);
    let mut definitions = Map::new();
    for (name, schema) in parts {
        let mut schema = serde_json::to_value(&schema)
            .map_err(|cause| Error::internal_defect(format!("the schema of {name} is not JSON: {cause}")))?;
        localise(&mut schema);
        definitions.insert(name, schema);
    }
    if let Some(actor) = definitions.get_mut("Actor") {
        hash_name(actor);
    }
    let mut root = definitions.remove(&*T::name()).unwrap_or_default();
    let required = root.as_object_mut().and_then(|root| root.remove("required")).unwrap_or_else(|| json!([]));
    root["properties"]["omitted"] = json!({
        "description": "Fields that would make the statement too large, each with its digest.",
        "type": "array", "items": { "$ref": "#/$defs/OmittedField" },
    });
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["$id"] = json!(format!("urn:plimsoll:attestation:{word}:v1:schema"));
    root["title"] = json!(format!("The predicate of urn:plimsoll:attestation:{word}:v1"));
    // Which fields are left out of a statement that is too large can't be told beforehand.
    root["if"] = json!({ "required": ["omitted"] });
    root["then"] = json!({});
    root["else"] = json!({ "required": required });
    root["$defs"] = Value::Object(definitions);
    Ok(root)
}

/// Names stand as salted hashes in what is signed.
fn hash_name(actor: &mut Value) {
    if let Some(fields) = actor["properties"].as_object_mut() {
        fields.remove("name");
    }
    actor["properties"]["nameHash"] = json!({
        "description": "SHA-256 of a salt and the name, which lie beside the packet and can be erased.",
        "type": "string", "pattern": "^sha256:[0-9a-f]{64}$",
    });
    for name in actor["required"].as_array_mut().into_iter().flatten().filter(|name| *name == "name") {
        *name = json!("nameHash");
    }
}

fn localise(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(COMPONENTS) {
                *text = format!("#/$defs/{name}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(localise),
        Value::Object(fields) => fields.values_mut().for_each(localise),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_needs_nothing_outside_and_names_nobody() {
        for (word, schema) in all().unwrap() {
            let text = schema.to_string();
            assert!(!text.contains(COMPONENTS), "{word}");
            for reference in text.split("#/$defs/").skip(1) {
                let name = reference.split('"').next().unwrap();
                assert!(schema["$defs"].get(name).is_some(), "{word} refers to {name}");
            }
            assert!(schema["else"]["required"].as_array().unwrap().len() > 5, "{word}");
            assert!(schema["$defs"]["Actor"]["properties"].get("name").is_none(), "{word}");
        }
    }
}
