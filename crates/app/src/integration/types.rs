//! Every type of integration there is. A new one is a variant here and a file beside this one.

use plimsoll_core::{
    Error, ErrorCode, Result, ValidationError,
    integration::{Capability, Category, IntegrationType},
};
use serde_json::{Map, Value};

use super::oci_registry;
use crate::json_schema::{JsonSchema, add_new};

/// A type of integration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A registry of images.
    OciRegistry,
}

impl Kind {
    /// All of them, in the order in which they are listed.
    pub const ALL: &'static [Self] = &[Self::OciRegistry];

    /// The name in URLs and in `typeId`.
    #[must_use]
    pub const fn type_id(self) -> &'static str {
        match self {
            Self::OciRegistry => "oci_registry",
        }
    }

    /// The type with this name.
    #[must_use]
    pub fn find(type_id: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.type_id() == type_id)
    }

    /// The names of its secrets.
    #[must_use]
    pub const fn secret_fields(self) -> &'static [&'static str] {
        match self {
            Self::OciRegistry => &[oci_registry::PASSWORD],
        }
    }

    /// As the API shows it.
    #[must_use]
    pub fn describe(self) -> IntegrationType {
        let (category, name, description, config_schema, capabilities) = match self {
            Self::OciRegistry => (
                Category::Registry,
                "OCI registry",
                "Any registry that speaks the OCI distribution specification: Docker Hub, GHCR, Harbor, Quay, ECR, \
                 ACR, GAR, Zot and others. Signs in anonymously, with a password or with bearer tokens.",
                oci_registry::schema(),
                vec![Capability::Test, Capability::Discover, Capability::ResolveDigest, Capability::ListTags],
            ),
        };
        IntegrationType {
            type_id: self.type_id().to_owned(),
            category,
            name: name.to_owned(),
            description: description.to_owned(),
            config_schema,
            secret_fields: self.secret_fields().iter().map(|&name| name.to_owned()).collect(),
            capabilities,
            provider: "builtin".to_owned(),
        }
    }

    /// Every mistake in a configuration with secrets of these names.
    pub fn check(self, config: &Map<String, Value>, secrets: &[&str]) -> Result<Vec<ValidationError>> {
        let schema = JsonSchema::compile(self.type_id(), &self.describe().config_schema)?;
        let mut wrong = schema.check(&Value::Object(config.clone()), "config");
        for name in secrets.iter().filter(|name| !self.secret_fields().contains(name)) {
            let message = format!("{} has no such secret; known: {}", self.type_id(), self.secret_fields().join(", "));
            wrong.push(ValidationError::new(format!("secrets.{name}"), "unknown_field", message));
        }
        let ruled = match self {
            Self::OciRegistry => oci_registry::check(config, secrets),
        };
        add_new(&mut wrong, ruled);
        Ok(wrong)
    }
}

/// The type with this name, or 400 naming the field and the types there are.
pub(super) fn known(type_id: &str) -> Result<Kind> {
    Kind::find(type_id).ok_or_else(|| {
        let all: Vec<&str> = Kind::ALL.iter().map(|kind| kind.type_id()).collect();
        Error::field("typeId", "unknown_type", format!("there is no such type; known: {}", all.join(", ")))
    })
}

/// The type with this name in a path, or 404.
pub(super) fn in_path(type_id: &str) -> Result<Kind> {
    Kind::find(type_id)
        .ok_or_else(|| Error::new(ErrorCode::NotFound, format!("there is no integration type {type_id:?}")))
}
