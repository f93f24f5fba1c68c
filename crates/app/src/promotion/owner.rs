//! A component belongs to one application in an environment: two that brought it would stop each other's
//! containers.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, ErrorCode, Result,
    environment::Environment,
    id::{ComponentId, TypedId as _},
    in_use::Reference,
    release::Release,
};
use plimsoll_store::{
    Tx,
    deployment::{self as jobs, running, spec},
    promotion as promotions, resource,
};
use serde_json::json;

/// What makes a component another application's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claims {
    /// It runs, or a job brings it or may put it back: no job of ours may start.
    AtWork,
    /// Or somebody has asked for it: no promotion of ours is taken.
    Asked,
}

/// Whose a component is, and by what.
struct Claim {
    application: String,
    by: Reference,
}

/// 422 `COMPONENT_IN_OTHER_APPLICATION` if one of `components` belongs to another application than
/// `application` there. Decides for good only under the environment's lock: every claim is made under it.
pub(crate) fn check(
    tx: &mut Tx<'_>,
    environment: &Environment,
    application: &str,
    components: &BTreeMap<ComponentId, String>,
    claims: Claims,
) -> Result<()> {
    let others = others(tx, environment, application, claims)?;
    let taken: Vec<(&ComponentId, &String, &Claim)> =
        components.iter().filter_map(|(id, name)| others.get(id).map(|claim| (id, name, claim))).collect();
    if taken.is_empty() { Ok(()) } else { Err(refusal(environment, &taken)) }
}

/// The components of a release, by name.
pub(crate) fn of_release(release: &Release) -> BTreeMap<ComponentId, String> {
    release.components.iter().map(|one| (one.component_id, one.component.clone())).collect()
}

/// What belongs to other applications. What runs speaks before what is on its way.
fn others(
    tx: &mut Tx<'_>,
    environment: &Environment,
    application: &str,
    claims: Claims,
) -> Result<BTreeMap<ComponentId, Claim>> {
    let mut found = BTreeMap::new();
    for (owner, id) in running::releases_of_others(tx, environment.id, application)? {
        let Some(release) = resource::find_any::<Release>(tx, id)? else { continue };
        let by = Reference::new("release", id, release.reference());
        claim(&mut found, of_release(&release).into_keys(), &owner, &by);
    }
    for job in jobs::open_in(tx, environment.id)?.into_iter().filter(|job| job.application != application) {
        let by = Reference::new("deployment_job", job.id, job.status.as_str());
        for kept in spec::of_job(tx, job.id)? {
            let specs = kept.spec.into_iter().chain(kept.previous);
            claim(
                &mut found,
                specs.flat_map(|spec| spec.components).map(|one| one.component_id),
                &job.application,
                &by,
            );
        }
    }
    match claims {
        Claims::AtWork => {}
        Claims::Asked => {
            for (id, owner, release) in promotions::open_of_others(tx, environment.id, application)? {
                let Some(release) = resource::find_any::<Release>(tx, release)? else { continue };
                let by = Reference::new("promotion", id, release.reference());
                claim(&mut found, of_release(&release).into_keys(), &owner, &by);
            }
        }
    }
    Ok(found)
}

fn claim(
    found: &mut BTreeMap<ComponentId, Claim>,
    components: impl Iterator<Item = ComponentId>,
    application: &str,
    by: &Reference,
) {
    for id in components {
        found.entry(id).or_insert_with(|| Claim { application: application.to_owned(), by: by.clone() });
    }
}

fn refusal(environment: &Environment, taken: &[(&ComponentId, &String, &Claim)]) -> Error {
    let told: Vec<String> = taken
        .iter()
        .map(|(_, name, claim)| {
            format!("{name} belongs to {} ({} {})", claim.application, claim.by.kind, claim.by.name)
        })
        .collect();
    let message = format!(
        "in {} a component belongs to one application: {}; leave it out here, or let the other application's next release leave it out first",
        environment.name,
        told.join(", ")
    );
    let components: Vec<_> = taken
        .iter()
        .map(|(id, name, claim)| {
            json!({ "componentId": id, "component": name, "application": claim.application, "heldBy": claim.by })
        })
        .collect();
    Error::new(ErrorCode::ComponentInOtherApplication, message)
        .details(json!({ "environmentId": environment.id.uuid(), "components": components }))
}
