//! What a single mistake is called, for people. The value itself is never shown: it may be a secret.

use jsonschema::{
    JsonType, ValidationError as Mistake,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

/// What must hold instead.
pub(super) fn message(mistake: &Mistake<'_>) -> String {
    match mistake.kind() {
        Kind::Type { kind } => must_be(&types(kind)),
        Kind::Enum { .. } | Kind::Constant { .. } => one_of(&fixed_words(mistake)),
        Kind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} items"),
        Kind::MaxItems { limit } => format!("must have at most {limit} items"),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::Minimum { limit } => format!("must be at least {limit}"),
        Kind::Maximum { limit } => format!("must be at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::UniqueItems => "must not have the same item twice".to_owned(),
        Kind::Pattern { pattern } => format!("must match the pattern {pattern}"),
        Kind::Format { format } => format!("must be {}", named(format)),
        // The rest is rare; the library's words will do.
        _ => mistake.masked().to_string(),
    }
}

/// The types that a mistake asks for, without `null`, which stands for leaving the field out.
pub(super) fn types(kind: &TypeKind) -> Vec<&'static str> {
    match kind {
        TypeKind::Single(one) => vec![one.as_str()],
        TypeKind::Multiple(set) => set.iter().filter(|one| *one != JsonType::Null).map(JsonType::as_str).collect(),
    }
}

/// `must be a string or an object`.
pub(super) fn must_be(types: &[&str]) -> String {
    let named: Vec<String> = types.iter().filter(|one| **one != "null").map(|one| with_article(one)).collect();
    if named.is_empty() { "must be left out".to_owned() } else { format!("must be {}", named.join(" or ")) }
}

fn with_article(name: &str) -> String {
    let article = if name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {name}")
}

/// The words that a mistake would accept.
pub(super) fn fixed_words(mistake: &Mistake<'_>) -> Vec<String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match mistake.kind() {
        Kind::Enum { options } => match options.as_ref() {
            Value::Array(all) => all.iter().filter(|one| !one.is_null()).map(plain).collect(),
            other => vec![plain(other)],
        },
        Kind::Constant { expected_value } => vec![plain(expected_value)],
        _ => Vec::new(),
    }
}

/// `must be one of a, b, c`.
pub(super) fn one_of(words: &[String]) -> String {
    match words {
        [only] => format!("must be {only}"),
        several => format!("must be one of {}", several.join(", ")),
    }
}

fn named(format: &str) -> String {
    match format {
        "uuid" => "an id (a UUID)".to_owned(),
        "date-time" => "a time as RFC 3339 has it, such as 2026-01-31T22:00:00Z".to_owned(),
        "uri" => "an address (a URI)".to_owned(),
        "email" => "an e-mail address".to_owned(),
        other => format!("of the format {other}"),
    }
}
