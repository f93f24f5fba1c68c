//! What each target runs after a rollback: the specs sealed when the release succeeded there, on every target
//! of the environment.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Result,
    deployment::{SkipReason, TaskKind, history::Destination, spec::DeploymentSpec},
    environment::Environment,
    id::{ComponentId, TargetId},
    inventory::Target,
};
use plimsoll_protocol::deployment::CreateRollback;
use plimsoll_store::{
    Tx,
    deployment::{self as jobs, running, spec},
    resource, target as targets,
};

use crate::{
    agent::{Agents, fitness},
    deployment::create::PlannedSpec,
    promotion::{Wish, prepare},
};

/// The whole set, target by target.
pub(super) struct Whole {
    pub(super) targets: Vec<Place>,
    pub(super) specs: BTreeMap<TargetId, PlannedSpec>,
}

impl Whole {
    /// The components that would run, by name.
    pub(super) fn components(&self) -> BTreeMap<ComponentId, String> {
        let specs = self.specs.values().filter_map(|one| one.spec.as_ref());
        specs.flat_map(|spec| &spec.components).map(|one| (one.component_id, one.name.clone())).collect()
    }
}

/// A target, and why it would be skipped now.
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) skip: Option<SkipReason>,
}

/// The targets that the request names; `None` for all.
pub(super) fn wanted(body: &CreateRollback) -> Option<BTreeSet<TargetId>> {
    body.target_ids.as_ref().map(|ids| ids.iter().copied().collect())
}

pub(super) fn whole(
    tx: &mut Tx<'_>,
    body: &CreateRollback,
    environment: &Environment,
    application: &str,
    to: &Destination,
) -> Result<Whole> {
    let wanted = wanted(body);
    let runs = present(tx, environment, application)?;
    let sealed: BTreeSet<TargetId> = plimsoll_store::rollback::targets_of(tx, to.specs_of)?.into_iter().collect();
    let all = targets::of_environment(tx, environment.id)?;
    // Targets that came after the release have no spec of it: theirs is made of what was sealed.
    let newer = all
        .iter()
        .any(|target| !sealed.contains(&target.id) && wanted.as_ref().is_none_or(|wanted| wanted.contains(&target.id)));
    let made = if newer { anew(tx, environment, to)? } else { BTreeMap::new() };
    let (mut places, mut specs, mut agents) = (Vec::new(), BTreeMap::new(), Agents::default());
    for target in all {
        let kept = if sealed.contains(&target.id) {
            spec::find(tx, to.specs_of, target.id)?.and_then(|kept| kept.spec)
        } else {
            made.get(&target.id).cloned()
        };
        let agent = agents.of(tx, &target)?;
        let heard = match &agent {
            Some(agent) => fitness(tx, agent)?.is_fit(),
            None => false,
        };
        let skip = match (target.maintenance, heard) {
            (true, _) => Some(SkipReason::Maintenance),
            (false, false) => Some(SkipReason::Offline),
            (false, true) => None,
        };
        let planned =
            PlannedSpec { spec: kept, previous: runs.get(&target.id).cloned(), agent: agent.map(|agent| agent.id) };
        specs.insert(target.id, planned);
        places.push(Place { target, skip });
    }
    Ok(Whole { targets: places, specs })
}

/// What runs of the application; where a job is at work, what it brings counts as running: it may be there
/// when the rollback's turn comes.
fn present(
    tx: &mut Tx<'_>,
    environment: &Environment,
    application: &str,
) -> Result<BTreeMap<TargetId, DeploymentSpec>> {
    let mut runs: BTreeMap<TargetId, DeploymentSpec> = running::of_application(tx, environment.id, application)?
        .into_iter()
        .map(|one| (one.target, one.spec))
        .collect();
    for open in jobs::open_jobs(tx, environment.id, application)? {
        for row in jobs::tasks_of(tx, open.id)? {
            let brings = row.task.kind == TaskKind::Forward && !row.task.status.is_ended();
            if brings
                && !runs.contains_key(&row.task.target_id)
                && let Some(spec) = spec::find(tx, open.id, row.task.target_id)?.and_then(|kept| kept.spec)
            {
                runs.insert(row.task.target_id, spec);
            }
        }
    }
    Ok(runs)
}

/// The release's specs with the values that the environment has now.
fn anew(tx: &mut Tx<'_>, environment: &Environment, to: &Destination) -> Result<BTreeMap<TargetId, DeploymentSpec>> {
    let wish = Wish {
        release: to.to_release_id,
        environment: environment.id,
        strategy: None,
        variables: &BTreeMap::new(),
        override_request: None,
        rules: None,
        planned: None,
    };
    let prepared = prepare(tx, wish)?;
    Ok(prepared.specs.into_iter().filter_map(|(id, one)| Some((id, one.spec?))).collect())
}

/// When a rollback's turn comes after another job, its targets may run something else than when it was asked
/// for: what each leaves is written down anew.
pub(crate) fn renew(tx: &mut Tx<'_>, job: &plimsoll_core::deployment::DeploymentJob) -> Result<()> {
    for mut row in jobs::tasks_of(tx, job.id)? {
        let runs = running::on_target(tx, row.task.target_id)?;
        let now = runs.into_iter().find(|one| one.application == job.application).map(|one| one.spec);
        spec::set_previous(tx, job.id, row.task.target_id, now.as_ref())?;
        for component in &mut row.task.components {
            component.from_digest = now
                .iter()
                .flat_map(|spec| &spec.components)
                .find(|one| one.component_id == component.component_id)
                .map(|one| one.image.digest);
        }
        resource::update(tx, &mut row)?;
    }
    Ok(())
}
