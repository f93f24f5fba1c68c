//! What a release is from the moment it is sealed: everything that will run, and its digest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::resource::{Release, ReleaseComponent, Variables};
use crate::{
    Digest, ValidationError, canonical,
    component::{
        Component, ComponentVersion, PlatformImage, Runtime,
        depends_on::{self, Node},
    },
    error::{Error, Result},
    id::{ComponentId, IntegrationId, VersionId},
    label::LabelSelector,
};

/// What was sealed. A later change of a component touches drafts and later releases only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealedRelease {
    /// The application.
    pub name: String,
    /// The release's version.
    pub version: String,
    /// The components in the order in which they come up.
    pub components: Vec<SealedComponent>,
    /// Variables for all components.
    pub variables: Variables,
}

/// One component as it will run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SealedComponent {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub component: String,
    /// Which version.
    pub version_id: VersionId,
    /// The version's tag, for people.
    pub tag: String,
    /// The version, read from the tag.
    pub version: String,
    /// Of the index or manifest.
    pub digest: Digest,
    /// The variants, with the digests that each goes by.
    pub platforms: Vec<PlatformImage>,
    /// The registry's integration.
    pub registry_integration_id: IntegrationId,
    /// The repository there.
    pub repository: String,
    /// The component's runtime with the release's configuration put over it; values as they were written.
    pub runtime: Runtime,
    /// The variables of `runtime` that come from the release's configuration: they win over the release's
    /// variables, the others don't.
    pub configured: Vec<String>,
    /// What must be healthy on the same target first.
    pub depends_on: Vec<ComponentId>,
    /// The targets that take it; all when empty.
    pub placement: LabelSelector,
    /// Containers a target.
    pub instances: u16,
}

impl SealedRelease {
    /// SHA-256 of the canonical JSON (RFC 8785).
    pub fn digest(&self) -> Result<Digest> {
        canonical::digest(self)
    }

    /// One of its components.
    #[must_use]
    pub fn component(&self, id: ComponentId) -> Option<&SealedComponent> {
        self.components.iter().find(|one| one.component_id == id)
    }
}

/// What a release refers to, as the store has it now.
#[derive(Clone, Debug, Default)]
pub struct Referred {
    /// Components by id.
    pub components: BTreeMap<ComponentId, Component>,
    /// Versions by id.
    pub versions: BTreeMap<VersionId, ComponentVersion>,
}

/// Puts together what `release` is when it is sealed now. All that is wrong is listed at once.
pub fn seal(release: &Release, referred: &Referred) -> Result<SealedRelease> {
    if release.components.is_empty() {
        return Err(Error::field(
            "components",
            "required",
            "must not be empty: a release without components runs nothing",
        ));
    }
    let mut wrong = duplicates(&release.components);
    let mut components = Vec::with_capacity(release.components.len());
    for (index, part) in release.components.iter().enumerate() {
        match seal_component(release, part, referred) {
            Ok(sealed) => components.push(sealed),
            Err((field, message)) => {
                wrong.push(ValidationError::new(format!("components[{index}].{field}"), "reference", message));
            }
        }
    }
    if !wrong.is_empty() {
        return Err(Error::invalid(wrong));
    }
    Ok(SealedRelease {
        name: release.name.clone(),
        version: release.version.clone(),
        components: in_order(components)?,
        variables: release.variables.clone(),
    })
}

/// One entry for each component that stands twice in a release.
#[must_use]
pub fn duplicates(components: &[ReleaseComponent]) -> Vec<ValidationError> {
    let mut first: BTreeMap<ComponentId, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (index, part) in components.iter().enumerate() {
        if let Some(earlier) = first.get(&part.component_id) {
            wrong.push(ValidationError::new(
                format!("components[{index}].componentId"),
                "duplicate",
                format!("{} is in the release already, at components[{earlier}]; name it once", part.component),
            ));
        } else {
            first.insert(part.component_id, index);
        }
    }
    wrong
}

type Wrong = (&'static str, String);

fn seal_component(release: &Release, part: &ReleaseComponent, referred: &Referred) -> Result<SealedComponent, Wrong> {
    let component = referred
        .components
        .get(&part.component_id)
        .filter(|component| component.deleted_at.is_none())
        .ok_or_else(|| ("componentId", format!("there is no component with id {}", part.component_id)))?;
    let version =
        referred
            .versions
            .get(&part.version_id)
            .filter(|version| version.component_id == part.component_id)
            .ok_or_else(|| ("versionId", format!("{} has no version with id {}", component.name, part.version_id)))?;
    if version.digest != part.digest {
        return Err((
            "digest",
            format!("is not the digest of {} {}, which is {}", component.name, version.tag, version.digest),
        ));
    }
    let needs = |id: &&ComponentId| !release.components.iter().any(|other| other.component_id == **id);
    if let Some(missing) = component.depends_on.iter().find(needs) {
        let name = referred.components.get(missing).map_or_else(|| missing.to_string(), |one| one.name.clone());
        return Err((
            "componentId",
            format!(
                "{} depends on {name}, which is not in the release: add it, or remove it from dependsOn",
                component.name
            ),
        ));
    }
    Ok(SealedComponent {
        component_id: component.id,
        component: component.name.clone(),
        version_id: version.id,
        tag: version.tag.clone(),
        version: version.version.clone(),
        digest: version.digest,
        platforms: version.platforms.clone(),
        registry_integration_id: component.registry_integration_id,
        repository: component.repository.clone(),
        runtime: component.runtime.merged(&part.config),
        configured: part.config.environment.keys().cloned().collect(),
        depends_on: component.depends_on.clone(),
        placement: component.placement.clone(),
        instances: component.instances,
    })
}

/// What is needed first, otherwise the release's own order.
fn in_order(components: Vec<SealedComponent>) -> Result<Vec<SealedComponent>> {
    let nodes: Vec<Node<'_>> = components
        .iter()
        .map(|one| Node { id: one.component_id, name: &one.component, depends_on: &one.depends_on })
        .collect();
    let order: Vec<ComponentId> = depends_on::order(&nodes)?.iter().map(|node| node.id).collect();
    let mut by_id: BTreeMap<ComponentId, SealedComponent> =
        components.into_iter().map(|one| (one.component_id, one)).collect();
    Ok(order.iter().filter_map(|id| by_id.remove(id)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{error::ErrorCode, release::testing};

    #[test]
    fn a_sealed_component_runs_with_the_merged_runtime() {
        let (release, referred) = testing::world();
        let sealed = seal(&release, &referred).unwrap();
        let names: Vec<_> = sealed.components.iter().map(|one| one.component.as_str()).collect();
        assert_eq!(names, ["db", "api"], "what api depends on comes first");
        let api = &sealed.components[1];
        assert_eq!(api.runtime.environment["LEVEL"], "debug");
        assert_eq!(api.runtime.environment["REGION"], "${{ target.labels.zone }}");
        assert_eq!(api.configured, ["LEVEL"]);
        assert_eq!(api.runtime.ports.len(), 1);
    }

    #[test]
    fn a_later_change_of_the_component_does_not_reach_what_was_sealed() {
        let (release, mut referred) = testing::world();
        let before = seal(&release, &referred).unwrap();
        let kept = before.digest().unwrap();
        for component in referred.components.values_mut() {
            component.runtime.environment.insert("NEW".to_owned(), "1".to_owned());
        }
        assert_eq!(before.digest().unwrap(), kept);
        assert_ne!(seal(&release, &referred).unwrap().digest().unwrap(), kept);
    }

    /// Every place in `value` where a plain value stands.
    fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, inner)| leaves(inner, &format!("{path}/{}", key.replace('/', "~1")), found));
            }
            Value::Array(list) => {
                list.iter().enumerate().for_each(|(index, inner)| leaves(inner, &format!("{path}/{index}"), found));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => found.push(path.to_owned()),
        }
    }

    #[test]
    fn any_change_changes_the_digest() {
        let (release, referred) = testing::world();
        let sealed = seal(&release, &referred).unwrap();
        let plain = serde_json::to_value(&sealed).unwrap();
        let digest = canonical::digest(&plain).unwrap();
        assert_eq!(digest, sealed.digest().unwrap());
        let mut found = Vec::new();
        leaves(&plain, "", &mut found);
        assert!(found.len() > 40, "the world of this test has become too small: {}", found.len());
        for path in found {
            let mut other = plain.clone();
            let place = other.pointer_mut(&path).unwrap();
            *place = match place.take() {
                Value::String(text) => json!(format!("{text}x")),
                Value::Number(number) => json!(number.as_u64().unwrap() + 1),
                Value::Bool(flag) => json!(!flag),
                Value::Null | Value::Array(_) | Value::Object(_) => json!("was null"),
            };
            assert_ne!(canonical::digest(&other).unwrap(), digest, "{path}");
        }
        let mut swapped = sealed.clone();
        swapped.components.swap(0, 1);
        assert_ne!(swapped.digest().unwrap(), digest, "the order of components counts");
    }

    #[test]
    fn the_order_of_keys_does_not_change_the_digest() {
        fn reversed(value: Value) -> String {
            match value {
                Value::Object(map) => {
                    let mut pairs: Vec<_> = map.into_iter().collect();
                    pairs.reverse();
                    let text: Vec<_> =
                        pairs.into_iter().map(|(key, inner)| format!("{}: {}", json!(key), reversed(inner))).collect();
                    format!("{{ {} }}", text.join(" , "))
                }
                Value::Array(list) => format!("[ {} ]", list.into_iter().map(reversed).collect::<Vec<_>>().join(" ,")),
                plain => plain.to_string(),
            }
        }
        let (release, referred) = testing::world();
        let sealed = seal(&release, &referred).unwrap();
        let text = reversed(serde_json::to_value(&sealed).unwrap());
        assert_ne!(text, serde_json::to_string(&sealed).unwrap());
        let back: SealedRelease = serde_json::from_str(&text).unwrap();
        assert_eq!(back.digest().unwrap(), sealed.digest().unwrap());
    }

    #[test]
    fn everything_wrong_is_listed() {
        let (mut release, mut referred) = testing::world();
        let again = release.components[0].clone();
        release.components.push(again);
        release.components[1].digest = Digest::of(b"other");
        let error = seal(&release, &referred).unwrap_err();
        let fields: Vec<_> = error.validation().iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["components[2].componentId", "components[1].digest"]);

        let (mut release, _) = testing::world();
        release.components.retain(|one| one.component == "api");
        let error = seal(&release, &referred).unwrap_err();
        assert!(error.message().contains("api depends on db"), "{error:?}");

        release.components.clear();
        assert_eq!(seal(&release, &referred).unwrap_err().code(), ErrorCode::ValidationFailed);

        let (release, _) = testing::world();
        referred.versions.clear();
        assert_eq!(seal(&release, &referred).unwrap_err().validation().len(), 2);
        referred.components.clear();
        assert_eq!(seal(&release, &referred).unwrap_err().validation()[0].field, "components[0].componentId");
    }

    #[test]
    fn a_cycle_is_named() {
        let (release, mut referred) = testing::world();
        let api = release.components[0].component_id;
        let db = release.components[1].component_id;
        referred.components.get_mut(&db).unwrap().depends_on = vec![api];
        let error = seal(&release, &referred).unwrap_err();
        assert!(error.message().contains("api → db → api"), "{error:?}");
    }
}
