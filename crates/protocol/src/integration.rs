//! Bodies of requests about integrations.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{integration::SecretState, label::Labels, rules};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::secret::SecretText;

/// Makes an integration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateIntegration {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// What kind, such as `oci_registry`.
    #[garde(length(min = 1, max = 128), custom(rules::plain))]
    pub type_id: String,
    /// As the type's schema says.
    #[garde(skip)]
    #[schema(value_type = Object)]
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Secrets by name: the value itself, or `vault:<integrationId>/<path>#<key>`. Never shown again.
    #[garde(length(max = 16), custom(|secrets: &BTreeMap<_, _>, (): &()| check_secrets(secrets.iter())))]
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretText>,
    /// Whether it is used at all; yes when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Labels.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
}

/// Replaces all writable fields of an integration. Secrets that are left out, or sent as they were read,
/// stay; `null` removes one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateIntegration {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// As the type's schema says.
    #[garde(skip)]
    #[schema(value_type = Object)]
    #[serde(default)]
    pub config: Map<String, Value>,
    /// Secrets to set by name, or to remove with `null`.
    #[garde(length(max = 16), custom(|secrets: &BTreeMap<_, _>, (): &()| check_secrets(set(secrets))))]
    #[schema(schema_with = secret_changes)]
    #[serde(default)]
    pub secrets: BTreeMap<String, SecretChange>,
    /// Whether it is used at all; yes when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Labels.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
}

/// What a PUT does with one secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum SecretChange {
    /// A new value.
    Set(SecretText),
    /// It stays: a GET's answer sent back.
    Keep(SecretState),
    /// It goes.
    Remove,
}

/// Asks what an outside system has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiscoverRequest {
    /// What is sought, such as `repository`.
    #[garde(length(min = 1, max = 64), custom(rules::plain))]
    pub kind: String,
    /// Part of its name.
    #[garde(length(min = 1, max = 256), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// From the page before.
    #[garde(length(min = 1, max = 2048), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many at most, 100 when absent.
    #[garde(range(min = 1, max = 1000))]
    #[serde(default = "hundred")]
    pub limit: u16,
}

fn set(secrets: &BTreeMap<String, SecretChange>) -> impl Iterator<Item = (&String, &SecretText)> {
    secrets.iter().filter_map(|(name, change)| match change {
        SecretChange::Set(value) => Some((name, value)),
        SecretChange::Keep(_) | SecretChange::Remove => None,
    })
}

/// Whether each secret has a value of at most 64 KiB. Which names there are the type says.
fn check_secrets<'a>(mut secrets: impl Iterator<Item = (&'a String, &'a SecretText)>) -> garde::Result {
    let good = secrets.all(|(name, value)| name.len() <= 64 && (1..=65_536).contains(&value.expose().len()));
    rules::ensure(good, "must have names of at most 64 bytes and values of 1 to 65536 bytes")
}

/// An object of strings, nulls and what reads show (the derive cannot say nullable values of a map).
fn secret_changes() -> utoipa::openapi::schema::Object {
    use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
    let value = ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null, Type::Object]));
    ObjectBuilder::new().additional_properties(Some(value)).build()
}

const fn yes() -> bool {
    true
}

const fn hundred() -> u16 {
    100
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_print_and_null_removes() {
        let body: UpdateIntegration =
            serde_json::from_str(r#"{"name":"hub","secrets":{"password":"hunter2","token":null,"key":{"set":true}}}"#)
                .unwrap();
        assert!(body.validate().is_ok());
        assert!(!format!("{body:?}").contains("hunter2"));
        assert_eq!(body.secrets["token"], SecretChange::Remove);
        assert!(matches!(&body.secrets["key"], SecretChange::Keep(state) if state.set));
        let empty: UpdateIntegration = serde_json::from_str(r#"{"name":"hub","secrets":{"password":""}}"#).unwrap();
        assert!(empty.validate().is_err());
    }
}
