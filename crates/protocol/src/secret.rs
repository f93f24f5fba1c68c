//! Text that must not appear in logs: passwords, tokens, keys.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A secret in a body. It prints as `[secret]`; only [`SecretText::expose`] shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, garde::Validate)]
#[serde(transparent)]
#[garde(transparent)]
pub struct SecretText(#[garde(length(min = 1, max = 65_536))] String);

impl SecretText {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl utoipa::PartialSchema for SecretText {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .format(Some(utoipa::openapi::SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::Password)))
            .build()
            .into()
    }
}

impl utoipa::ToSchema for SecretText {
    fn name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_secret_does_not_print() {
        assert_eq!(format!("{:?}", super::SecretText::new("hunter2")), "[secret]");
    }
}
