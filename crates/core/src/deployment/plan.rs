//! Makes the plan of a job: which target gets what, in which batch.

use std::{cmp::Ordering, collections::BTreeSet};

use serde::Serialize;

use super::{
    LeftOut, LeftOutReason, Plan, PlanComponent, PlanTarget, PlannedChange, SkipReason, ports,
    spec::{ComponentSpec, DeploymentSpec},
};
use crate::{
    Digest, canonical,
    environment::Strategy,
    error::{Error, ErrorCode, Result},
    id::{ComponentId, TargetId},
    label::Labels,
};

/// What planning needs to know of a target.
#[derive(Clone, Copy, Debug)]
pub struct PlanInput<'a> {
    /// Which.
    pub target_id: TargetId,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// Why it would be skipped now.
    pub skip: Option<SkipReason>,
    /// What it shall run; `None` when no component selects it.
    pub spec: Option<&'a DeploymentSpec>,
    /// What it runs of the application, as sealed when it came.
    pub running: Option<&'a DeploymentSpec>,
    /// Of a target that is no more, what was planned for it: that stays as it was, and is skipped.
    pub kept: Option<&'a PlanTarget>,
}

/// Which targets a request is about.
#[derive(Clone, Copy, Debug)]
pub enum Chosen<'a> {
    /// All of the environment.
    All,
    /// These alone.
    These(&'a BTreeSet<TargetId>),
}

/// Makes the plan. A target that no component selects, but that runs the application, loses it there.
pub fn make(strategy: &Strategy, targets: &[PlanInput<'_>], chosen: Chosen<'_>) -> Result<Plan> {
    let mut planned = Vec::new();
    let mut left_out = Vec::new();
    for target in targets {
        let out = |reason| LeftOut { target_id: target.target_id, name: target.name.to_owned(), reason };
        let wanted = match chosen {
            Chosen::All => true,
            Chosen::These(ids) => ids.contains(&target.target_id),
        };
        match (wanted, target.spec.or(target.running).is_some() || target.kept.is_some()) {
            (false, _) => left_out.push(out(LeftOutReason::NotChosen)),
            (true, false) => left_out.push(out(LeftOutReason::NoComponent)),
            (true, true) => planned.push((target, plan_target(target)?)),
        }
    }
    if planned.is_empty() {
        return Err(Error::new(
            ErrorCode::NoTargetForComponent,
            "there is no target to deploy to; add one to the environment, or change placements or labels",
        ));
    }
    planned.sort_by(|(a, _), (b, _)| order(strategy, a, b));
    let size = match strategy {
        Strategy::AllAtOnce { .. } => planned.len(),
        Strategy::Rolling { batch_size, .. } => batch_size.of(planned.len()),
    };
    let targets: Vec<PlanTarget> = planned
        .into_iter()
        .enumerate()
        .map(|(index, (_, target))| PlanTarget { batch: (index / size) as u32, ..target })
        .collect();
    let batches = targets.last().map_or(0, |last| last.batch + 1);
    let hash = hash(&targets)?;
    Ok(Plan { targets, left_out, batches, hash })
}

/// By the label that the strategy names (as numbers where both are), targets without it last; then by name.
fn order(strategy: &Strategy, a: &PlanInput<'_>, b: &PlanInput<'_>) -> Ordering {
    let key = match strategy {
        Strategy::AllAtOnce { .. } => None,
        Strategy::Rolling { order_by_label, .. } => order_by_label.as_ref(),
    };
    let by_label = key.map_or(Ordering::Equal, |key| match (a.labels.get(key), b.labels.get(key)) {
        (Some(a), Some(b)) => match (a.parse::<u64>(), b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => a.cmp(b),
        },
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    });
    by_label.then_with(|| a.name.cmp(b.name)).then_with(|| a.target_id.cmp(&b.target_id))
}

fn plan_target(target: &PlanInput<'_>) -> Result<PlanTarget> {
    if let Some(kept) = target.kept {
        return Ok(PlanTarget { batch: 0, skip: Some(SkipReason::Deleted), ..kept.clone() });
    }
    if let Some(spec) = target.spec {
        ports::check(target.name, spec)?;
    }
    Ok(PlanTarget {
        target_id: target.target_id,
        name: target.name.to_owned(),
        batch: 0,
        spec_digest: canonical::digest(&target.spec)?,
        skip: target.skip,
        components: components(target.spec, target.running),
    })
}

/// What becomes of each component: first what comes or stays, in order, then what goes.
fn components(spec: Option<&DeploymentSpec>, running: Option<&DeploymentSpec>) -> Vec<PlanComponent> {
    let wanted = spec.map(|spec| spec.components.as_slice()).unwrap_or_default();
    let present = running.map(|spec| spec.components.as_slice()).unwrap_or_default();
    let find = |list: &'_ [ComponentSpec], id| list.iter().position(|one| one.component_id == id);
    let comes = wanted.iter().map(|one| {
        let before = find(present, one.component_id).map(|index| &present[index]);
        let change = match before {
            None => PlannedChange::Added,
            Some(before) if same(before, one) => PlannedChange::Unchanged,
            Some(_) => PlannedChange::Replaced,
        };
        PlanComponent {
            component_id: one.component_id,
            name: one.name.clone(),
            change,
            handover: if change == PlannedChange::Replaced { ports::handover(one) } else { None },
            from_digest: before.map(|before| before.image.digest),
            to_digest: Some(one.image.digest),
        }
    });
    // Put back in reverse, so taken away in reverse too: what others depend on goes last.
    let goes = present.iter().rev().filter(|one| find(wanted, one.component_id).is_none()).map(|one| PlanComponent {
        component_id: one.component_id,
        name: one.name.clone(),
        change: PlannedChange::Removed,
        handover: None,
        from_digest: Some(one.image.digest),
        to_digest: None,
    });
    comes.chain(goes).collect()
}

/// Whether both run alike: the same digest with the same runtime, wherever it is pulled from.
fn same(a: &ComponentSpec, b: &ComponentSpec) -> bool {
    a.image.digest == b.image.digest && a.runtime == b.runtime && a.instances == b.instances
}

/// What is done on one target, as approvals see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetContent {
    target_id: TargetId,
    #[serde(skip_serializing_if = "Option::is_none")]
    spec_digest: Option<Digest>,
    components: Vec<(ComponentId, Option<Digest>)>,
}

/// Whether the digests of the specs belong to the content.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Specs {
    With,
    Without,
}

/// Targets with their components, in an order that labels do not change.
pub(crate) fn content(targets: &[PlanTarget], specs: Specs) -> Vec<TargetContent> {
    let mut content: Vec<TargetContent> = targets
        .iter()
        .map(|target| TargetContent {
            target_id: target.target_id,
            spec_digest: (specs == Specs::With).then_some(target.spec_digest),
            components: target.components.iter().map(|one| (one.component_id, one.to_digest)).collect(),
        })
        .collect();
    content.sort_by_key(|target| target.target_id);
    content
}

fn hash(targets: &[PlanTarget]) -> Result<Digest> {
    canonical::digest(&content(targets, Specs::With))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
