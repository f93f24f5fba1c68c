//! One operand of a filter as the parameter that its field takes.

use plimsoll_core::{Digest, Error, Result, Timestamp, ValidationError};
use serde_json::Value as Json;

use super::{Field, FieldKind};
use crate::{IntoValue, Value};

/// Checks an operand against its field's type.
pub(super) fn scalar(field: Field, json: &Json) -> Result<Value<'static>> {
    let refuse = |wanted: &str| {
        Err(Error::invalid(vec![ValidationError::new(
            format!("filter.{}", field.api),
            "type",
            format!("{json} does not fit: expected {wanted}"),
        )]))
    };
    match (field.kind, json) {
        (FieldKind::Text, Json::String(text)) => Ok(text.clone().into_value()),
        (FieldKind::Text, _) => refuse("text"),
        (FieldKind::Time, Json::String(text)) => match text.parse::<Timestamp>() {
            Ok(at) => Ok(at.into_value()),
            Err(_) => refuse("a time such as 2026-01-01T00:00:00Z"),
        },
        (FieldKind::Time, _) => refuse("a time such as 2026-01-01T00:00:00Z"),
        (FieldKind::Int, Json::Number(number)) => match number.as_i64() {
            Some(number) => Ok(number.into_value()),
            None => refuse("a whole number"),
        },
        (FieldKind::Int, _) => refuse("a whole number"),
        (FieldKind::Bool, Json::Bool(truth)) => Ok((*truth).into_value()),
        (FieldKind::Bool, _) => refuse("true or false"),
        (FieldKind::Id, Json::String(text)) => match uuid::Uuid::try_parse(text) {
            Ok(id) => Ok(id.into_value()),
            Err(_) => refuse("a UUID"),
        },
        (FieldKind::Id, _) => refuse("a UUID"),
        (FieldKind::Enum(words), Json::String(text)) if words.contains(&text.as_str()) => Ok(text.clone().into_value()),
        (FieldKind::Among(_), Json::String(text)) => match text.parse::<Digest>() {
            Ok(digest) => Ok(digest.into_value()),
            Err(_) => refuse("a digest such as sha256: and 64 hexadecimal digits"),
        },
        (FieldKind::Among(_), _) => refuse("a digest such as sha256: and 64 hexadecimal digits"),
        (FieldKind::Enum(words), _) => refuse(&format!("one of {}", words.join(", "))),
    }
}
