//! What differs between two releases.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    resource::Variables,
    seal::{SealedComponent, SealedRelease},
};
use crate::{
    Digest,
    audit::merge_patch,
    component::versioning::{Bump, Reader},
    error::{Error, Result},
    id::{ComponentId, ReleaseId, VersionId},
};

/// What going from one release to another changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseComparison {
    /// From which.
    pub from: ComparedRelease,
    /// To which.
    pub to: ComparedRelease,
    /// Components that come.
    pub added: Vec<ComparedComponent>,
    /// Components that go: they are stopped and removed.
    pub removed: Vec<ComparedComponent>,
    /// Components that change.
    pub changed: Vec<ChangedComponent>,
    /// Components that stay as they are.
    pub unchanged: Vec<ComparedComponent>,
    /// Release variables that differ.
    pub variables: Vec<ChangedVariable>,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparedRelease {
    /// Which release.
    pub id: ReleaseId,
    /// The application.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The digest of its sealed content; of a draft, as if it were sealed now.
    pub digest: Digest,
}

/// A component at one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComparedComponent {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub component: String,
    /// Which version.
    pub version_id: VersionId,
    /// The version's tag.
    pub tag: String,
    /// The version.
    pub version: String,
    /// Its digest.
    pub digest: Digest,
}

/// A component that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedComponent {
    /// As it was.
    pub from: ComparedComponent,
    /// As it will be.
    pub to: ComparedComponent,
    /// What the change of version amounts to; absent where the scheme cannot tell, or only the
    /// configuration differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bump: Option<Bump>,
    /// Whether it goes back to an older version.
    pub downgrade: bool,
    /// The change of runtime, placement, instances and dependencies as a JSON merge patch (RFC 7396).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<serde_json::Value>,
}

/// A release variable that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChangedVariable {
    /// Its name.
    pub name: String,
    /// As it was; absent when it comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// As it will be; absent when it goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// One side: a release's id and its content.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Which release.
    pub id: ReleaseId,
    /// What was sealed, or would be.
    pub sealed: &'a SealedRelease,
}

/// Compares two releases. `readers` know the components' version schemes as they are now; without one
/// the kind of a bump is left out.
pub fn compare(from: Side<'_>, to: Side<'_>, readers: &BTreeMap<ComponentId, Reader>) -> Result<ReleaseComparison> {
    let mut comparison = ReleaseComparison {
        from: describe(from)?,
        to: describe(to)?,
        added: Vec::new(),
        removed: Vec::new(),
        changed: Vec::new(),
        unchanged: Vec::new(),
        variables: variables(&from.sealed.variables, &to.sealed.variables),
    };
    for new in &to.sealed.components {
        match from.sealed.component(new.component_id) {
            None => comparison.added.push(short(new)),
            Some(old) => match changed(old, new, readers.get(&new.component_id))? {
                Some(change) => comparison.changed.push(change),
                None => comparison.unchanged.push(short(new)),
            },
        }
    }
    let gone = |old: &&SealedComponent| to.sealed.component(old.component_id).is_none();
    comparison.removed = from.sealed.components.iter().filter(gone).map(short).collect();
    Ok(comparison)
}

fn describe(side: Side<'_>) -> Result<ComparedRelease> {
    Ok(ComparedRelease {
        id: side.id,
        name: side.sealed.name.clone(),
        version: side.sealed.version.clone(),
        digest: side.sealed.digest()?,
    })
}

fn short(component: &SealedComponent) -> ComparedComponent {
    ComparedComponent {
        component_id: component.component_id,
        component: component.component.clone(),
        version_id: component.version_id,
        tag: component.tag.clone(),
        version: component.version.clone(),
        digest: component.digest,
    }
}

fn changed(old: &SealedComponent, new: &SealedComponent, reader: Option<&Reader>) -> Result<Option<ChangedComponent>> {
    let patch = merge_patch(&configuration(old)?, &configuration(new)?);
    let configuration = patch.as_object().is_some_and(|patch| !patch.is_empty()).then_some(patch);
    let same_version = old.digest == new.digest && old.tag == new.tag;
    if same_version && configuration.is_none() {
        return Ok(None);
    }
    let versions = reader.and_then(|reader| Some((reader.parse(&old.tag)?, reader.parse(&new.tag)?)));
    let bump = match &versions {
        _ if same_version => None,
        Some((before, after)) => before.bump_to(after),
        None => (old.tag == new.tag).then_some(Bump::DigestOnly),
    };
    Ok(Some(ChangedComponent {
        from: short(old),
        to: short(new),
        bump,
        downgrade: versions.is_some_and(|(before, after)| after < before),
        configuration,
    }))
}

/// What of a component can change without its version.
fn configuration(component: &SealedComponent) -> Result<serde_json::Value> {
    serde_json::to_value(serde_json::json!({
        "runtime": component.runtime,
        "placement": component.placement,
        "instances": component.instances,
        "dependsOn": component.depends_on,
        "registryIntegrationId": component.registry_integration_id,
        "repository": component.repository,
    }))
    .map_err(|cause| Error::internal_defect("a sealed component could not be written as JSON").caused_by(cause))
}

fn variables(from: &Variables, to: &Variables) -> Vec<ChangedVariable> {
    let names: BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    names
        .into_iter()
        .filter(|name| from.get(*name) != to.get(*name))
        .map(|name| ChangedVariable { name: name.clone(), from: from.get(name).cloned(), to: to.get(name).cloned() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        component::Versioning,
        release::testing::{self, id},
    };

    fn readers() -> BTreeMap<ComponentId, Reader> {
        let reader = Reader::new(&Versioning::default()).unwrap();
        [1, 2, 3].map(|number| (id(number), reader.clone())).into()
    }

    fn compared(from: &SealedRelease, to: &SealedRelease) -> ReleaseComparison {
        compare(Side { id: id(1), sealed: from }, Side { id: id(2), sealed: to }, &readers()).unwrap()
    }

    #[test]
    fn a_release_does_not_differ_from_itself() {
        let sealed = testing::sealed();
        let same = compared(&sealed, &sealed);
        assert_eq!(same.unchanged.len(), 2);
        assert!(
            same.added.is_empty() && same.removed.is_empty() && same.changed.is_empty() && same.variables.is_empty()
        );
        assert_eq!(same.from.digest, same.to.digest);
    }

    #[test]
    fn bumps_and_downgrades_are_named() {
        let old = testing::sealed();
        for (tag, bump, downgrade) in [
            ("3.0.0", Some(Bump::Major), false),
            ("2.5.0", Some(Bump::Minor), false),
            ("2.4.2", Some(Bump::Patch), false),
            ("2.4.1-rc.1", Some(Bump::Prerelease), true),
            ("2.4.0", Some(Bump::Patch), true),
            ("1.9.9", Some(Bump::Major), true),
            ("v2.4.1", Some(Bump::DigestOnly), false),
            ("2.4.1", Some(Bump::DigestOnly), false),
            ("nightly", None, false),
        ] {
            let mut new = old.clone();
            let api = &mut new.components[1];
            api.tag = tag.to_owned();
            api.digest = Digest::of(b"new");
            let comparison = compared(&old, &new);
            let change = &comparison.changed[0];
            assert_eq!((change.bump, change.downgrade), (bump, downgrade), "{tag}");
            assert_eq!(change.configuration, None);
            assert_eq!(comparison.unchanged.len(), 1);
        }
    }

    #[test]
    fn a_change_of_configuration_alone_is_a_change() {
        let old = testing::sealed();
        let mut new = old.clone();
        new.components[1].runtime.environment.insert("LEVEL".to_owned(), "trace".to_owned());
        new.components[1].instances = 2;
        let comparison = compared(&old, &new);
        let change = &comparison.changed[0];
        assert_eq!((change.bump, change.downgrade), (None, false));
        let expected = serde_json::json!({"runtime": {"environment": {"LEVEL": "trace"}}, "instances": 2});
        assert_eq!(change.configuration.as_ref(), Some(&expected));
    }

    #[test]
    fn both_directions_mirror_each_other() {
        let old = testing::sealed();
        let mut new = old.clone();
        new.components.remove(0);
        new.variables.insert("NEW".to_owned(), "1".to_owned());
        new.variables.insert("LEVEL".to_owned(), "error".to_owned());
        let (there, back) = (compared(&old, &new), compared(&new, &old));
        assert_eq!(there.removed, back.added);
        assert_eq!(there.removed[0].component, "db");
        assert!(there.added.is_empty() && back.removed.is_empty());
        let swapped: Vec<_> =
            back.variables.into_iter().map(|one| ChangedVariable { from: one.to, to: one.from, ..one }).collect();
        assert_eq!(there.variables, swapped);
        assert_eq!(there.variables.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["LEVEL", "NEW"]);
    }
}
