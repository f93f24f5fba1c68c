//! What a promotion would do, from rows: the plan, each target's spec with its values, and the hash that
//! approvals are given for.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Result,
    component::Platform,
    deployment::{
        Plan, SkipReason,
        plan::{self, Chosen, PlanInput},
    },
    environment::{Environment, Strategy},
    id::{AgentId, EnvironmentId, IntegrationId, ReleaseId, TargetId},
    integration::Integration,
    inventory::{Agent, Target},
    promotion::{Override, ResolvedTargetValues, RulesInForce, SecretVersion, Subject, subject::SubjectParts},
    release::{self, Place, Registry, Release, SealedRelease, SpecSource, ValueScope, Variables},
};
use plimsoll_store::{
    Tx, approval_policy,
    deployment::running::{self, Running},
    release as releases, resource, target as targets,
};

use crate::{
    agent::{Agents, fitness},
    deployment::create::PlannedSpec,
    registry::access::registry_config,
};

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    /// What.
    pub(crate) release: ReleaseId,
    /// Whereto.
    pub(crate) environment: EnvironmentId,
    /// Instead of the environment's.
    pub(crate) strategy: Option<&'a Strategy>,
    /// Variables of the promotion alone.
    pub(crate) variables: &'a Variables,
    /// Gates that shall not hold it up.
    pub(crate) override_request: Option<&'a Override>,
    /// The rules of the request; `None` for a new one.
    pub(crate) rules: Option<&'a RulesInForce>,
    /// The targets of the plan that was made at the request; `None` for a new one.
    pub(crate) planned: Option<&'a Plan>,
}

/// Everything that a decision and a job need.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) release: Release,
    pub(crate) environment: Environment,
    pub(crate) strategy: Strategy,
    pub(crate) plan: Plan,
    pub(crate) specs: BTreeMap<TargetId, PlannedSpec>,
    pub(crate) values: Vec<ResolvedTargetValues>,
    /// What runs of the application, on all targets of the environment.
    pub(crate) running: Vec<Running>,
    /// The rules in force: those of the request, or stricter ones since.
    pub(crate) rules: RulesInForce,
    pub(crate) subject: Subject,
}

impl Prepared {
    /// Whether every target that takes something runs this release already.
    pub(crate) fn is_there(&self) -> bool {
        let takes = self.specs.iter().filter(|(_, one)| one.spec.is_some());
        let mut targets = takes.map(|(target, _)| target).peekable();
        let here =
            |target: &TargetId| self.running.iter().any(|one| one.target == *target && one.release == self.release.id);
        targets.peek().is_some() && targets.all(here)
    }

    /// The release that runs on most targets, for the job's record.
    pub(crate) fn runs_now(&self) -> Option<ReleaseId> {
        let mut counts: BTreeMap<ReleaseId, usize> = BTreeMap::new();
        for one in &self.running {
            *counts.entry(one.release).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(release, _)| release)
    }
}

/// Reads and resolves all of it.
pub(crate) fn prepare(tx: &mut Tx<'_>, wish: Wish<'_>) -> Result<Prepared> {
    let release: Release =
        resource::find_any(tx, wish.release)?.ok_or_else(|| plimsoll_core::Error::not_found(wish.release))?;
    let environment: Environment = resource::get(tx, wish.environment)?;
    let (sealed, release_digest) = releases::seal(tx, release.id)?;
    let running = running::of_application(tx, environment.id, &sealed.name)?;
    let (sealed, registries) = with_registries(tx, sealed)?;
    let places = places(tx, &environment, wish.planned)?;
    let source = SpecSource {
        tenant_id: tx.tenant()?,
        release_id: release.id,
        release_digest,
        sealed: &sealed,
        registries: &registries,
    };
    let resolved = resolve(source, &environment, &places, &wish)?;
    let strategy = wish.strategy.unwrap_or(&environment.strategy).clone();
    let known: BTreeMap<TargetId, &Running> = running.iter().map(|one| (one.target, one)).collect();
    let inputs: Vec<PlanInput<'_>> = places
        .iter()
        .map(|place| PlanInput {
            target_id: place.target.id,
            name: &place.target.name,
            labels: &place.target.labels,
            skip: place.skip,
            spec: resolved.get(&place.target.id).map(|one| &one.spec),
            running: known.get(&place.target.id).map(|one| &one.spec),
            kept: wish
                .planned
                .filter(|_| place.skip == Some(SkipReason::Deleted))
                .and_then(|plan| plan.targets.iter().find(|one| one.target_id == place.target.id)),
        })
        .collect();
    let planned = plan::make(&strategy, &inputs, Chosen::All)?;
    let plan = match wish.planned {
        // Who was left out at the request is told by the request.
        Some(before) => Plan { left_out: before.left_out.clone(), ..planned },
        None => planned,
    };
    let specs = places
        .iter()
        .map(|place| {
            let id = place.target.id;
            let spec = PlannedSpec {
                spec: resolved.get(&id).map(|one| one.spec.clone()),
                previous: known.get(&id).map(|one| one.spec.clone()),
                agent: place.agent,
            };
            (id, spec)
        })
        .collect();
    let values: Vec<ResolvedTargetValues> = resolved.into_values().flat_map(|one| one.values).collect();
    let now = rules_now(tx, &environment)?;
    let rules = wish.rules.map_or_else(|| now.clone(), |asked| asked.stricter(&now));
    let secrets = secrets(&environment, &sealed);
    let subject = Subject::of(SubjectParts {
        release_digest,
        environment_id: environment.id,
        strategy: &strategy,
        variables: &values,
        secrets: &secrets,
        rules: &rules,
        plan: &plan,
        override_request: wish.override_request,
    })?;
    Ok(Prepared { release, environment, strategy, plan, specs, values, running, rules, subject })
}

/// A target with what planning needs beside it.
struct PlaceRow {
    target: Target,
    agent: Option<AgentId>,
    platform: Option<Platform>,
    skip: Option<SkipReason>,
}

/// The environment's targets; of a plan that was made before, its own, deleted ones included.
fn places(tx: &mut Tx<'_>, environment: &Environment, planned: Option<&Plan>) -> Result<Vec<PlaceRow>> {
    let found: Vec<(Target, Life)> = match planned {
        None => targets::of_environment(tx, environment.id)?.into_iter().map(|one| (one, Life::Lives)).collect(),
        Some(plan) => {
            let ids: BTreeSet<TargetId> = plan.targets.iter().map(|one| one.target_id).collect();
            let rows = ids.into_iter().map(|id| known(tx, id)).collect::<Result<Vec<_>>>()?;
            rows.into_iter().flatten().collect()
        }
    };
    let mut agents = Agents::default();
    found
        .into_iter()
        .map(|(target, life)| {
            let agent = agents.of(tx, &target)?;
            let fit = match &agent {
                Some(agent) => fitness(tx, agent)?.is_fit(),
                None => false,
            };
            let skip = if life == Life::Deleted {
                Some(SkipReason::Deleted)
            } else if target.maintenance {
                Some(SkipReason::Maintenance)
            } else if fit {
                None
            } else {
                Some(SkipReason::Offline)
            };
            let id = agent.as_ref().map(|agent| agent.id);
            Ok(PlaceRow { agent: id, platform: agent.as_ref().and_then(platform), skip, target })
        })
        .collect()
}

/// Whether a target is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Life {
    Lives,
    Deleted,
}

/// A target that was planned, as it is or as it last was.
fn known(tx: &mut Tx<'_>, id: TargetId) -> Result<Option<(Target, Life)>> {
    if let Some(target) = resource::find(tx, id)? {
        return Ok(Some((target, Life::Lives)));
    }
    Ok(resource::find_any(tx, id)?.map(|target| (target, Life::Deleted)))
}

/// What an agent's host runs, in Go's words.
fn platform(agent: &Agent) -> Option<Platform> {
    if agent.os.is_empty() || agent.arch.is_empty() {
        return None;
    }
    let architecture = match agent.arch.as_str() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" | "i686" => "386",
        other => other,
    };
    Some(Platform { os: agent.os.clone(), architecture: architecture.to_owned(), variant: None })
}

/// The registries of the release's components. The repository is named as engines name it there.
fn with_registries(
    tx: &mut Tx<'_>,
    mut sealed: SealedRelease,
) -> Result<(SealedRelease, BTreeMap<IntegrationId, Registry>)> {
    let mut registries = BTreeMap::new();
    for component in &mut sealed.components {
        let id = component.registry_integration_id;
        let Some(integration) = resource::find::<Integration>(tx, id)? else { continue };
        let config = registry_config(&integration)?;
        component.repository = config.engine_repository(&component.repository)?;
        registries.insert(id, config.as_engines_see_it()?);
    }
    Ok((sealed, registries))
}

fn resolve(
    source: SpecSource<'_>,
    environment: &Environment,
    places: &[PlaceRow],
    wish: &Wish<'_>,
) -> Result<BTreeMap<TargetId, release::ResolvedSpec>> {
    let overrides =
        environment.placements.iter().map(|one| (one.component_id, one.selector.clone())).collect::<BTreeMap<_, _>>();
    let known: Vec<Place<'_>> = places
        .iter()
        .map(|place| Place {
            id: place.target.id,
            name: &place.target.name,
            labels: &place.target.labels,
            platform: place.platform.as_ref(),
        })
        .collect();
    let placed = release::place(source.sealed, &known, &overrides)?;
    let mut resolved = BTreeMap::new();
    for (id, components) in placed.targets {
        let Some(place) = places.iter().find(|one| one.target.id == id) else { continue };
        let scope = ValueScope::new(environment, &place.target, place.platform.clone(), wish.variables);
        resolved.insert(id, release::resolve_spec(source, &scope, &components)?);
    }
    Ok(resolved)
}

/// What decides about the environment now.
pub(crate) fn rules_now(tx: &mut Tx<'_>, environment: &Environment) -> Result<RulesInForce> {
    let policies = approval_policy::in_force(tx, environment)?;
    Ok(RulesInForce {
        gates: environment.gates.clone(),
        promotes_from: environment.promotes_from.clone(),
        soak_seconds: environment.soak_seconds,
        policies: policies.iter().map(Into::into).collect(),
    })
}

/// The secrets that the release's components ask for, each with the version of its value.
fn secrets(environment: &Environment, sealed: &SealedRelease) -> Vec<SecretVersion> {
    let wanted = |name: &str| {
        sealed.components.iter().any(|component| component.runtime.secrets.iter().any(|one| one.name == name))
    };
    let refs = environment.secret_refs.iter().filter(|one| wanted(&one.name));
    refs.map(|one| SecretVersion {
        name: one.name.clone(),
        target_labels: one.target_labels.clone(),
        version: Some(one.version),
        reference: None,
    })
    .collect()
}
