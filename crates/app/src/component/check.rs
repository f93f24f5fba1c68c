//! What a component refers to must exist and fit.

use std::collections::{BTreeMap, VecDeque};

use plimsoll_core::{
    Error, Result, ValidationError,
    component::{
        Component,
        depends_on::{self, Node},
    },
    id::{ComponentId, IntegrationId},
    integration::Integration,
};
use plimsoll_store::{Lock, Tx, resource};

use crate::integration::{self, Kind};

/// The most components that one can lead to through `dependsOn`.
const REACHED: usize = 1_000;

/// Everything that a component refers to must exist, and `dependsOn` must not go round in a circle.
/// All that is wrong is listed at once.
pub(super) fn check(tx: &mut Tx<'_>, component: &Component) -> Result<()> {
    let mut wrong = Vec::new();
    wrong.extend(check_registry(tx, component.registry_integration_id)?);
    if let Some(id) = component.source_integration_id {
        integration::refer(tx, id)?;
        if resource::find::<Integration>(tx, id)?.is_none() {
            wrong.push(absent("sourceIntegrationId", "integration", id));
        }
    }
    // Who depends on nothing closes no circle, and waits for nobody.
    if !component.depends_on.is_empty() {
        lock_graph(tx)?;
    }
    for (index, id) in component.depends_on.iter().enumerate() {
        if *id == component.id || resource::find::<Component>(tx, *id)?.is_none() {
            wrong.push(absent(&format!("dependsOn[{index}]"), "other component", *id));
        }
    }
    if wrong.is_empty() { check_circle(tx, component) } else { Err(Error::invalid(wrong)) }
}

/// Two changes of what depends on what could each be right, and make a circle together.
pub(super) fn lock_graph(tx: &mut Tx<'_>) -> Result<()> {
    tx.lock(&Lock::Named("component_graph", ""))
}

fn absent(field: &str, noun: &str, id: impl std::fmt::Display) -> ValidationError {
    ValidationError::new(field, "unknown_reference", format!("there is no {noun} with id {id}"))
}

fn check_registry(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Option<ValidationError>> {
    const FIELD: &str = "registryIntegrationId";
    integration::refer(tx, id)?;
    let Some(found) = resource::find::<Integration>(tx, id)? else {
        return Ok(Some(absent(FIELD, "integration", id)));
    };
    Ok(match Kind::find(&found.type_id) {
        Some(Kind::OciRegistry) => None,
        None => {
            let message = format!("the integration {:?} is of type {}, not oci_registry", found.name, found.type_id);
            Some(ValidationError::new(FIELD, "wrong_type", message))
        }
    })
}

/// Follows `dependsOn` from the component outwards; the core names a circle.
fn check_circle(tx: &mut Tx<'_>, component: &Component) -> Result<()> {
    let mut reached: BTreeMap<ComponentId, Component> = BTreeMap::new();
    let mut next: VecDeque<ComponentId> = component.depends_on.iter().copied().collect();
    while let Some(id) = next.pop_front() {
        if id == component.id || reached.contains_key(&id) {
            continue;
        }
        let Some(found) = resource::find::<Component>(tx, id)? else { continue };
        next.extend(&found.depends_on);
        reached.insert(id, found);
        if reached.len() > REACHED {
            let message = format!("leads to more than {REACHED} components; depend on fewer");
            return Err(Error::field("dependsOn", "too_many", message));
        }
    }
    let nodes: Vec<Node<'_>> = std::iter::once(component)
        .chain(reached.values())
        .map(|one| Node { id: one.id, name: &one.name, depends_on: &one.depends_on })
        .collect();
    depends_on::order(&nodes).map(drop)
}
