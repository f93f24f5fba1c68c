//! Bodies of requests about components.

use garde::Validate;
use plimsoll_core::{
    component::{ChannelRule, Runtime, Versioning},
    id::{ComponentId, IntegrationId},
    label::{LabelSelector, Labels},
    rules,
};
use serde::{Deserialize, Serialize};

pub use plimsoll_core::component::{SyncFailure, SyncResult};

/// Makes a component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateComponent {
    /// A slug, unique in the tenant; part of container names.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// For people.
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The `oci_registry` integration that serves the images.
    #[garde(skip)]
    pub registry_integration_id: IntegrationId,
    /// The repository in that registry, such as `shop/api`.
    #[garde(custom(check_repository))]
    pub repository: String,
    /// How tags become versions; semantic versions without prereleases when absent.
    #[garde(dive)]
    #[serde(default)]
    pub versioning: Versioning,
    /// Where commits are looked up.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_integration_id: Option<IntegrationId>,
    /// The source repository there.
    #[garde(length(min = 1, max = rules::URL), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_repository: Option<String>,
    /// How its containers run.
    #[garde(dive)]
    #[serde(default)]
    pub runtime: Runtime,
    /// The targets that take it; all when empty.
    #[garde(dive)]
    #[serde(default)]
    pub placement: LabelSelector,
    /// Containers a target, 1 when absent.
    #[garde(range(min = 1, max = 100))]
    #[serde(default = "one")]
    pub instances: u16,
    /// Components that must be healthy on the same target first.
    #[garde(length(max = 50))]
    #[serde(default)]
    pub depends_on: Vec<ComponentId>,
    /// Rules that put versions into channels; the first that fits counts.
    #[garde(length(max = 50), dive)]
    #[serde(default)]
    pub channels: Vec<ChannelRule>,
    /// Labels.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
}

/// Replaces all writable fields of a component; what is left out returns to its default.
pub type UpdateComponent = CreateComponent;

const fn one() -> u16 {
    1
}

/// A repository's name as the OCI distribution specification has it.
fn check_repository<T: AsRef<str>>(name: &T, _: &()) -> garde::Result {
    let name = name.as_ref();
    let part = |part: &str| {
        let known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
        let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = part.as_bytes();
        bytes.iter().all(|byte| known(*byte)) && edge(bytes.first()) && edge(bytes.last())
    };
    rules::ensure(
        name.len() <= 255 && name.split('/').all(part),
        "must be a repository without registry and tag, such as shop/api: lower-case letters, digits, '.', '_', '-' and '/'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_are_named_without_registry_and_tag() {
        for good in ["api", "shop/api", "a/b/c-d_e.f"] {
            assert!(check_repository(&good.to_owned(), &()).is_ok(), "{good}");
        }
        for bad in ["", "/api", "api/", "Shop/api", "host:5000/api", "api:1.0", "a//b", "-a", &"a".repeat(256)] {
            assert!(check_repository(&bad.to_owned(), &()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_smallest_component_has_defaults_and_an_unknown_field_is_refused() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let text = format!(r#"{{"name":"api","registryIntegrationId":"{id}","repository":"shop/api"}}"#);
        let body: CreateComponent = serde_json::from_str(&text).unwrap();
        assert_eq!(body.instances, 1);
        assert!(body.validate().is_ok());
        assert!(serde_json::from_str::<CreateComponent>(&text.replace("\"name\"", "\"nam\"")).is_err());
    }

    #[test]
    fn every_wrong_field_is_named() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let body: CreateComponent = serde_json::from_value(serde_json::json!({
            "name": "Api", "registryIntegrationId": id, "repository": "shop/api", "instances": 0,
            "runtime": {"ports": [{"container": 0}], "environment": {"A B": "x"}, "health": {"type": "tcp", "port": 80, "retries": 0}},
            "versioning": {"scheme": "regex"}, "labels": {"plimsoll.x": "1"},
        }))
        .unwrap();
        let report = body.validate().unwrap_err();
        let mut fields: Vec<_> = report.iter().map(|(path, _)| path.to_string()).collect();
        fields.sort();
        assert_eq!(
            fields,
            [
                "instances",
                "labels",
                "name",
                "runtime.environment",
                "runtime.health",
                "runtime.ports[0].container",
                "versioning.pattern"
            ]
        );
    }
}
