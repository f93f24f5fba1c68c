//! Bodies of requests about releases.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{
    Digest,
    component::RuntimePatch,
    id::{ComponentId, VersionId},
    label::Labels,
    release::{Release, ReleaseSource, ReleaseStatus, Variables},
    rules,
};
use serde::{Deserialize, Serialize};

/// The most components in one release.
const COMPONENTS: usize = 200;

/// Makes a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRelease {
    /// The application, a slug.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// Unique within the application.
    #[garde(custom(check_version))]
    pub version: String,
    /// What is in it, in the order in which it comes up.
    #[garde(length(max = COMPONENTS), dive)]
    #[serde(default)]
    pub components: Vec<ReleaseComponentRequest>,
    /// Variables for all components.
    #[garde(custom(rules::variables))]
    #[serde(default)]
    pub variables: Variables,
    /// For people.
    #[garde(length(max = rules::NOTES), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Where it came from.
    #[garde(dive)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<ReleaseSource>,
    /// The channel, such as `stable`.
    #[garde(inner(custom(rules::slug)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Labels.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
    /// Whether to seal it at once.
    #[garde(skip)]
    #[serde(default)]
    pub finalize: bool,
}

/// Names one component and one of its versions. Everything given must agree; at least one of
/// `componentId` and `component`, and one of `versionId`, `tag`, `version` and `digest` is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ReleaseComponentRequest {
    /// Which component.
    #[garde(custom(one_of(self.component.is_some(), "componentId or component is required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component_id: Option<ComponentId>,
    /// Its name.
    #[garde(inner(custom(rules::slug)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// Which version.
    #[garde(custom(one_of(self.names_a_version(), "one of versionId, tag, version and digest is required")))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<VersionId>,
    /// Its tag.
    #[garde(inner(custom(check_tag)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The version, read from the tag.
    #[garde(length(min = 1, max = 128), inner(custom(rules::plain)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is deployed; without `versionId` and `tag` it is checked against the registry.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What this release changes in the component's runtime.
    #[garde(dive)]
    #[serde(skip_serializing_if = "RuntimePatch::is_empty")]
    pub config: RuntimePatch,
}

impl ReleaseComponentRequest {
    fn names_a_version(&self) -> bool {
        self.tag.is_some() || self.version.is_some() || self.digest.is_some()
    }
}

/// Changes a release. With `name`, `version` and `components` it replaces all writable fields of a
/// draft. Without these three it changes only what it names of `status`, `notes` and `labels`, which is
/// all that may change once the release is sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct UpdateRelease {
    /// The application, a slug.
    #[garde(inner(custom(rules::slug)), custom(together(self.has_content())))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Unique within the application.
    #[garde(inner(custom(check_version)), custom(together(self.has_content())))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is in it, in the order in which it comes up.
    #[garde(length(max = COMPONENTS), dive, custom(together(self.has_content())))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub components: Option<Vec<ReleaseComponentRequest>>,
    /// Variables for all components.
    #[garde(custom(rules::if_set(rules::variables)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variables: Option<Variables>,
    /// For people.
    #[garde(length(max = rules::NOTES), custom(rules::prose))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Where it came from.
    #[garde(dive)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<ReleaseSource>,
    /// The channel, such as `stable`.
    #[garde(inner(custom(rules::slug)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Labels.
    #[garde(custom(rules::if_set(rules::labels)))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// `ready` seals a draft; otherwise the present status.
    #[garde(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ReleaseStatus>,
}

impl UpdateRelease {
    /// Whether it replaces the content, and not only status, notes and labels.
    #[must_use]
    pub fn has_content(&self) -> bool {
        self.name.is_some()
            || self.version.is_some()
            || self.components.is_some()
            || self.variables.is_some()
            || self.source.is_some()
            || self.channel.is_some()
    }
}

/// Makes a release of the latest version of each component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FromLatestRequest {
    /// The application, a slug.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// The new release's version.
    #[garde(custom(check_version))]
    pub version: String,
    /// A constraint by component name, such as `~2.4`, `^1`, `>=1.2, <2` or `*`.
    #[garde(length(min = 1, max = COMPONENTS), custom(check_constraints))]
    pub components: BTreeMap<String, String>,
    /// Only versions of this channel count.
    #[garde(inner(custom(rules::slug)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Whether prereleases count; as each component says when absent.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_prerelease: Option<bool>,
    /// Variables for all components.
    #[garde(custom(rules::variables))]
    #[serde(default)]
    pub variables: Variables,
    /// For people.
    #[garde(length(max = rules::NOTES), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Labels.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
    /// Whether to seal it at once.
    #[garde(skip)]
    #[serde(default)]
    pub finalize: bool,
    /// Whether only to say what would be chosen.
    #[garde(skip)]
    #[serde(default)]
    pub dry_run: bool,
}

/// What was chosen, and the release made of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FromLatestAnswer {
    /// Whether nothing was made.
    pub dry_run: bool,
    /// One entry a component.
    pub chosen: Vec<ChosenVersion>,
    /// The release, unless it was a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

/// Why a version was chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChosenVersion {
    /// Of which component.
    pub component_id: ComponentId,
    /// Its name.
    pub component: String,
    /// What was asked for.
    pub constraint: String,
    /// What was chosen.
    pub version_id: VersionId,
    /// Its tag.
    pub tag: String,
    /// Its version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
    /// Why, in a sentence.
    pub reason: String,
}

/// Says that a release should not be used any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeprecateRequest {
    /// Why.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::plain))]
    pub reason: String,
    /// Whether new promotions are refused, not only warned about.
    #[garde(skip)]
    #[serde(default)]
    pub block: bool,
}

/// What can stand behind the `@` of `shop@2.4.1`.
fn check_version<T: AsRef<str>>(text: &T, _: &()) -> garde::Result {
    let text = text.as_ref();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+');
    let good = text.len() <= 128
        && text.bytes().all(known)
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    rules::ensure(good, "must be 1 to 128 letters, digits, '.', '_', '-' or '+', beginning with a letter or digit")
}

/// A tag as the OCI distribution specification has it.
fn check_tag<T: AsRef<str>>(text: &T, _: &()) -> garde::Result {
    let text = text.as_ref();
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let good = text.len() <= 128
        && text.bytes().all(known)
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    rules::ensure(
        good,
        "must be a tag: 1 to 128 letters, digits, '.', '_' or '-', beginning with a letter, digit or '_'",
    )
}

/// Whether each constraint can be one at all; what it means depends on the component's scheme.
fn check_constraints(constraints: &BTreeMap<String, String>, context: &()) -> garde::Result {
    for (component, constraint) in constraints {
        rules::slug(component, context)?;
        rules::ensure((1..=128).contains(&constraint.len()), "must have constraints of 1 to 128 bytes")?;
        rules::plain(constraint, context)?;
    }
    Ok(())
}

fn one_of<T>(another: bool, message: &'static str) -> impl FnOnce(&Option<T>, &()) -> garde::Result {
    move |value, ()| rules::ensure(value.is_some() || another, message)
}

fn together<T>(content: bool) -> impl FnOnce(&Option<T>, &()) -> garde::Result {
    move |value, ()| {
        rules::ensure(
            value.is_some() || !content,
            "is required when the content is replaced; without name, version and components only status, notes and labels change",
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong_fields(body: &impl Validate<Context = ()>) -> Vec<String> {
        let mut fields: Vec<_> =
            body.validate().err().iter().flat_map(garde::Report::iter).map(|(path, _)| path.to_string()).collect();
        fields.sort();
        fields.dedup();
        fields
    }

    #[test]
    fn a_component_of_a_release_needs_a_name_and_a_version() {
        for (body, wrong) in [
            (json!({}), vec!["component_id", "version_id"]),
            (json!({"component": "api"}), vec!["version_id"]),
            (json!({"tag": "1.0"}), vec!["component_id"]),
            (json!({"component": "api", "tag": "1.0"}), vec![]),
            (json!({"component": "api", "digest": Digest::of(b"x")}), vec![]),
            (json!({"component": "Api", "tag": "a/b"}), vec!["component", "tag"]),
            (
                json!({"component": "api", "tag": "1", "config": {"ports": [{"container": 0}]}}),
                vec!["config.ports[0].container"],
            ),
        ] {
            let request: ReleaseComponentRequest = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(wrong_fields(&request), wrong, "{body}");
        }
    }

    #[test]
    fn a_change_has_all_of_the_content_or_none() {
        for (body, wrong) in [
            (json!({}), vec![]),
            (json!({"status": "ready"}), vec![]),
            (json!({"notes": "x", "labels": {"a": "b"}}), vec![]),
            (json!({"name": "shop", "version": "1", "components": []}), vec![]),
            (json!({"name": "shop"}), vec!["components", "version"]),
            (json!({"variables": {}}), vec!["components", "name", "version"]),
        ] {
            let request: UpdateRelease = serde_json::from_value(body.clone()).unwrap();
            assert_eq!(wrong_fields(&request), wrong, "{body}");
        }
    }
}
