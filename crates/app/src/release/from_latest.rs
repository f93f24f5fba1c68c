//! A release of the latest version of each component, with the reason for each choice.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, Result, ValidationError,
    component::{
        Component, ComponentVersion,
        versioning::{Channels, Constraint, Reader, Wanted, latest, no_matching_version},
    },
    id::ComponentId,
};
use plimsoll_protocol::release::{
    ChosenVersion, CreateRelease, FromLatestAnswer, FromLatestRequest, ReleaseComponentRequest,
};
use plimsoll_store::{IntoValue, Scope, component_version, resource};

use super::{Draft, insert, parts};
use crate::{App, Caller, Change, Reply};

/// Versions of a component that are considered, the highest first.
const CONSIDERED: usize = 5_000;
/// Rows read at once.
const CHUNK: u32 = 500;

impl App {
    /// Makes a release of the latest versions; a dry run only says which they are.
    pub async fn release_from_latest(&self, caller: &Caller, body: FromLatestRequest) -> Result<Reply> {
        if body.dry_run {
            self.may_everywhere(caller).await?;
            let (_, chosen) = self.choose(caller.scope(), &body).await?;
            return Reply::unchanged(&FromLatestAnswer { dry_run: true, chosen, release: None });
        }
        let ask = async {
            let (parts, chosen) = self.choose(caller.scope(), &body).await?;
            let draft = self.draft(caller, &as_create(&body), parts).await?;
            Ok((draft, chosen))
        };
        self.outside(caller, ask, |(draft, chosen): &(Draft, Vec<ChosenVersion>), tx, notes| {
            let release = insert(tx, notes, draft)?;
            let (id, patch) = (release.id, resource::as_json(&release)?);
            let answer = FromLatestAnswer { dry_run: false, chosen: chosen.clone(), release: Some(release) };
            Ok(Change::created("releases", "release", id, answer)?.with_patch(Some(patch)))
        })
        .await
    }

    async fn choose(&self, scope: Scope, body: &FromLatestRequest) -> Result<(parts::Parts, Vec<ChosenVersion>)> {
        let components = self.components_named(scope, body.components.keys().cloned().collect()).await?;
        let (mut found, mut chosen, mut missing) = (parts::Parts::default(), Vec::new(), Vec::new());
        for (name, constraint_text) in &body.components {
            let Some(component) = components.get(name) else { continue };
            let reader = Reader::new(&component.versioning)?;
            let constraint = Constraint::parse(&format!("components.{name}"), constraint_text, &reader)?;
            let wanted = Wanted {
                constraint: &constraint,
                channel: body.channel.as_deref(),
                prerelease: body.allow_prerelease.unwrap_or(component.versioning.allow_prerelease),
            };
            let versions = self.considered(scope, component.id).await?;
            let Some(choice) = latest(&versions, &reader, &Channels::new(&component.channels)?, wanted) else {
                missing.push((name.clone(), constraint_text.clone()));
                continue;
            };
            found.components.push(parts::part(component, choice.version, &ReleaseComponentRequest::default()));
            chosen.push(explain(component, constraint_text, choice.version, choice.reason));
        }
        if missing.is_empty() { Ok((found, chosen)) } else { Err(no_matching_version(&missing)) }
    }

    /// The components with these names; all that are unknown are named.
    async fn components_named(&self, scope: Scope, names: Vec<String>) -> Result<BTreeMap<String, Component>> {
        let read = move |tx: &mut plimsoll_store::Tx<'_>| {
            let (mut found, mut wrong) = (BTreeMap::new(), Vec::new());
            for name in &names {
                match resource::find_by::<Component>(tx, "name", name.into_value())?.pop() {
                    Some(component) => drop(found.insert(name.clone(), component)),
                    None => {
                        let message = format!("there is no component {name:?}");
                        wrong.push(ValidationError::new(format!("components.{name}"), "unknown_reference", message));
                    }
                }
            }
            if wrong.is_empty() { Ok(found) } else { Err(Error::invalid(wrong)) }
        };
        self.store.read(scope, "release_from_latest", read).await
    }

    /// The highest versions in force.
    async fn considered(&self, scope: Scope, component: ComponentId) -> Result<Vec<ComponentVersion>> {
        let mut all: Vec<component_version::StoredVersion> = Vec::new();
        while all.len() < CONSIDERED {
            let below = all.last().map(|last| (last.sort_key.clone(), last.version.id));
            let chunk = self
                .store
                .read(scope, "release_versions", move |tx| {
                    let below = below.as_ref().map(|(key, id)| (key.as_str(), *id));
                    component_version::highest(tx, component, below, CHUNK)
                })
                .await?;
            if chunk.is_empty() {
                break;
            }
            all.extend(chunk);
        }
        Ok(all.into_iter().map(|stored| stored.version).collect())
    }
}

fn as_create(body: &FromLatestRequest) -> CreateRelease {
    CreateRelease {
        name: body.name.clone(),
        version: body.version.clone(),
        components: Vec::new(),
        variables: body.variables.clone(),
        notes: body.notes.clone(),
        source: None,
        channel: body.channel.clone(),
        labels: body.labels.clone(),
        finalize: body.finalize,
    }
}

fn explain(component: &Component, constraint: &str, version: &ComponentVersion, reason: String) -> ChosenVersion {
    ChosenVersion {
        component_id: component.id,
        component: component.name.clone(),
        constraint: constraint.to_owned(),
        version_id: version.id,
        tag: version.tag.clone(),
        version: version.version.clone(),
        digest: version.digest,
        reason,
    }
}
