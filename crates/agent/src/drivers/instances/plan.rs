//! From an order and what is found on the target to the steps of a task.

use std::collections::BTreeSet;

use plimsoll_core::{
    Digest, canonical,
    deployment::spec::ComponentSpec,
    id::{TaskId, TypedId},
};
use plimsoll_protocol::agent::{
    observe::RunState,
    order::TaskOrder,
    report::{TaskError, TaskErrorCode},
};

use super::{InstanceDriver, bring::Arrivals, health, record, record::Record, sticker};
use crate::{
    drivers::{
        Outcome, Scope,
        host::{Instance, InstanceHost},
    },
    task::step::{Before, Plan, Step},
};

/// What is on the target of one component.
struct Found {
    /// What ran, or stands without running.
    old: Vec<Instance>,
    /// What killed tasks left.
    leftovers: Vec<String>,
}

pub(super) async fn make<H: InstanceHost>(driver: &InstanceDriver<H>, scope: Scope<'_>) -> Outcome<Plan> {
    let order = scope.order;
    let directory = driver.host().directory();
    let record = record::read_record(directory, &order.application)?;
    let present: Vec<Instance> = driver.host().list(order.target.id).await?;
    let present: Vec<Instance> = present.into_iter().filter(|instance| is_of(instance, order)).collect();
    let wanted: &[ComponentSpec] = order.spec.as_ref().map_or(&[], |spec| &spec.components);

    let mut leftovers = Vec::new();
    let mut arrivals = Arrivals::new(order, record.as_ref());
    let mut before = Vec::new();
    for (number, component) in wanted.iter().enumerate() {
        let mut found = find(&present, record.as_ref(), order, &component.name);
        if found.old.is_empty() {
            found.old.extend(adopted(driver, order, record.as_ref(), &component.name).await?);
        }
        leftovers.append(&mut found.leftovers);
        before.push(seen_before(order, record.as_ref(), &component.name, &found.old));
        if runs_so_already(driver, component, &found.old).await? {
            arrivals.keep(component, &found.old);
        } else {
            let later = wanted.get(number + 1..).unwrap_or_default();
            arrivals.bring(component, &found.old, later)?;
        }
    }
    let gone: BTreeSet<&str> = present
        .iter()
        .filter_map(|instance| Some(instance.ours.as_ref()?.component.as_str()))
        .filter(|name| !wanted.iter().any(|component| component.name == *name))
        .collect();
    for component in gone.into_iter().rev() {
        let mut found = find(&present, record.as_ref(), order, component);
        leftovers.append(&mut found.leftovers);
        if !found.old.is_empty() {
            before.push(seen_before(order, record.as_ref(), component, &found.old));
            arrivals.send_away(component, &found.old);
        }
    }

    let mut steps = Vec::new();
    if !leftovers.is_empty() {
        steps.push(Step::Clean { leftovers });
    }
    let (change, discard) = arrivals.into_steps();
    steps.extend(change);
    steps.push(Step::Settle { previous: record::read_text(directory, &order.application)? });
    if order.hints.watch_seconds > 0 && !wanted.is_empty() {
        steps.push(Step::Watch { seconds: order.hints.watch_seconds });
    }
    steps.push(Step::Sticker { previous: sticker::read(directory, &order.application)? });
    if !discard.is_empty() {
        steps.push(Step::Discard { names: discard });
    }
    steps.push(Step::Prune);
    Ok(Plan { steps, before })
}

/// The name of a new instance.
pub(super) fn name_of(order: &TaskOrder, component: &ComponentSpec, instance: u16) -> String {
    let short = short(order.task_id);
    match component.instances {
        0 | 1 => format!("{}-{}-{short}", order.application, component.name),
        _ => format!("{}-{}-{short}-{instance}", order.application, component.name),
    }
}

/// The hash that says whether a component runs as it should.
pub(super) fn spec_hash(component: &ComponentSpec) -> Outcome<Digest> {
    // Told by newer servers alone, and nothing runs otherwise for it.
    let mut hashed = component.clone();
    hashed.image.size_bytes = None;
    canonical::digest(&hashed)
        .map_err(|cause| TaskError::new(TaskErrorCode::AgentDefect, format!("a spec can't be hashed: {cause:?}")))
}

/// The random end of a task's id: its beginning is the time.
fn short(task: TaskId) -> String {
    let text = task.uuid().simple().to_string();
    text.get(20..).unwrap_or(&text).to_owned()
}

fn is_of(instance: &Instance, order: &TaskOrder) -> bool {
    instance
        .ours
        .as_ref()
        .is_some_and(|ours| ours.application == order.application && ours.task_id != Some(order.task_id))
}

/// Tells what stands from what killed tasks left. The record says what stands; where none of that runs and
/// something else does, that is what people are served by.
fn find(present: &[Instance], record: Option<&Record>, order: &TaskOrder, component: &str) -> Found {
    let of_component: Vec<&Instance> = present
        .iter()
        .filter(|instance| instance.ours.as_ref().is_some_and(|ours| ours.component == component))
        .collect();
    let (standing, other): (Vec<&Instance>, Vec<&Instance>) = of_component
        .into_iter()
        .partition(|instance| record.is_some_and(|record| record.instances.contains(&instance.name)));
    let runs = |instance: &&Instance| is_up(instance);
    let (mut old, leftovers) = if standing.iter().any(runs) || !other.iter().any(runs) {
        (standing, other)
    } else {
        let (running, ended): (Vec<&Instance>, Vec<&Instance>) = other.into_iter().partition(runs);
        let newest = running.iter().filter_map(|instance| epoch(instance)).max();
        let (serving, stray): (Vec<&Instance>, Vec<&Instance>) =
            running.into_iter().partition(|instance| epoch(instance) == newest);
        (standing.into_iter().chain(serving).collect(), ended.into_iter().chain(stray).collect())
    };
    old.sort_by(|a, b| a.name.cmp(&b.name));
    let leftovers = leftovers
        .into_iter()
        .filter(|instance| epoch(instance).is_none_or(|epoch| epoch <= order.epoch))
        .map(|instance| instance.name.clone());
    Found { leftovers: leftovers.collect(), old: old.into_iter().cloned().collect() }
}

fn epoch(instance: &Instance) -> Option<u64> {
    instance.ours.as_ref().map(|ours| ours.epoch)
}

pub(super) fn is_up(instance: &Instance) -> bool {
    matches!(instance.state, RunState::Running | RunState::Restarting)
}

/// The container of before us that may be taken over for a component that we never ran.
async fn adopted<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    order: &TaskOrder,
    record: Option<&Record>,
    component: &str,
) -> Outcome<Option<Instance>> {
    let Some(name) = order.target.adopt.get(component) else { return Ok(None) };
    let ran_by_us = record
        .and_then(|record| record.spec.as_ref())
        .is_some_and(|spec| spec.components.iter().any(|had| had.name == component));
    match driver.host().inspect(name).await? {
        Some(instance) if instance.ours.is_none() => Ok(Some(instance)),
        Some(_) | None if ran_by_us => Ok(None),
        Some(_) => Ok(None),
        None => Err(TaskError::new(
            TaskErrorCode::AdoptMissing,
            format!("the container {name:?}, which {component} should take over, is not there"),
        )
        .component(component)
        .hint("name one that exists in the target's `adopt`, or leave it out")),
    }
}

fn seen_before(order: &TaskOrder, record: Option<&Record>, component: &str, old: &[Instance]) -> Before {
    let known = component_before(order, record, component);
    let running = old.iter().find(|instance| is_up(instance));
    let digest = running.and_then(|instance| {
        let seen = [instance.image_id, instance.made_by_digest];
        match known {
            Some(known) if seen.iter().flatten().any(|seen| known.expected.contains(seen)) => Some(known.image.digest),
            Some(_) | None => instance.made_by_digest.or(instance.image_id),
        }
    });
    let now = order.spec.iter().flat_map(|spec| &spec.components).find(|wanted| wanted.name == component);
    Before { component: component.to_owned(), component_id: known.or(now).map(|known| known.component_id), digest }
}

/// The spec by which a component ran before: our own record's, else the server's book.
pub(super) fn component_before<'a>(
    order: &'a TaskOrder,
    record: Option<&'a Record>,
    component: &str,
) -> Option<&'a ComponentSpec> {
    let recorded = record.and_then(|record| record.spec.as_ref());
    recorded.or(order.previous.as_ref())?.components.iter().find(|had| had.name == component)
}

/// Whether the component runs by exactly this spec, healthy. One with secrets is always made anew: their
/// values may be new.
async fn runs_so_already<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    component: &ComponentSpec,
    old: &[Instance],
) -> Outcome<bool> {
    let hash = spec_hash(component)?;
    let same = |instance: &Instance| {
        instance.state == RunState::Running && instance.ours.as_ref().is_some_and(|ours| ours.spec_hash == Some(hash))
    };
    if !component.runtime.secrets.is_empty()
        || old.len() != usize::from(component.instances.max(1))
        || !old.iter().all(same)
    {
        return Ok(false);
    }
    for instance in old {
        if !health::looks_well(driver, instance, component.runtime.health.as_ref()).await {
            return Ok(false);
        }
    }
    Ok(true)
}
