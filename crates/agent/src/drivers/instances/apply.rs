//! Does the steps. Each finds out by itself what is done already.

use std::time::Duration;

use plimsoll_core::{
    component::runtime::RestartPolicy,
    deployment::{Handover, spec::ComponentSpec},
};
use plimsoll_protocol::agent::{
    observe::RunState,
    order::TaskOrder,
    report::{TaskError, TaskErrorCode},
    secret::SecretRef,
};

use super::{
    InstanceDriver, clean, follow, health, plan,
    record::{self, Record, ReleaseImages},
    sticker,
};
use crate::{
    drivers::{
        Applied, Outcome, Scope,
        host::{GivenSecret, InstanceHost, NewInstance, Since, Wanted},
    },
    task::step::{Alias, Old, Step},
};

pub(super) async fn step<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    step: &Step,
) -> Outcome<Applied> {
    let host = driver.host();
    let directory = host.directory();
    let order = scope.order;
    match step {
        Step::Clean { leftovers } => clean::leftovers(driver, scope, leftovers).await?,
        Step::Check { bringing, leaving } => host.check(Wanted { order, bringing, leaving }).await?,
        Step::Prepare => host.prepare(scope).await?,
        Step::Pull { component } => host.pull(scope, wanted(order, component)?).await?,
        Step::StopOld { component, old } => {
            warn(scope, component, Handover::Gap);
            stop(driver, scope, component, old).await?;
        }
        Step::Retire { component, old } => {
            warn(scope, component, Handover::WithoutRouter);
            stop(driver, scope, component, old).await?;
        }
        Step::Make { component, instance, name, alias } => {
            let new = new_instance(scope, wanted(order, component)?, *instance, name, *alias).await?;
            make(driver, scope, &new).await?;
        }
        Step::Start { component, instance, name, alias } => {
            let new = new_instance(scope, wanted(order, component)?, *instance, name, *alias).await?;
            make(driver, scope, &new).await?;
            scope.log.say(Some(component), format!("starts {name}"));
            started(driver, &new, host.run(scope, &new).await).await?;
            follow::new_ones(driver, scope, new.component, std::slice::from_ref(name), Since::Start).await;
        }
        Step::Health { component, names } => {
            let component = wanted(order, component)?;
            follow::new_ones(driver, scope, component, names, Since::Now).await;
            let since = health::wait(driver, scope, component, names).await?;
            scope.log.say(Some(&component.name), "healthy");
            return Ok(Applied { healthy_since: Some(since) });
        }
        Step::Switch { component, names } => {
            let component = wanted(order, component)?;
            for name in names {
                host.take_name(name, component).await?;
            }
            // Taking the name may have cost it its address: the old ones go only when it answers again.
            health::answers_again(driver, component, names).await?;
        }
        Step::Watch { seconds } => {
            let all = standing(driver, order).await?;
            for (component, name) in &all {
                follow::new_ones(driver, scope, component, std::slice::from_ref(name), Since::Now).await;
            }
            health::watch(driver, scope, &all, *seconds).await?;
        }
        Step::Settle { .. } => settle(driver, order).await?,
        Step::Sticker { .. } => sticker::place(directory, &order.application, order.sticker.as_deref())?,
        Step::Discard { names } => clean::discard(driver, scope, names).await?,
        Step::Prune => clean::prune(driver, scope).await?,
    }
    Ok(Applied::default())
}

/// The spec of a component of the order.
pub(super) fn wanted<'a>(order: &'a TaskOrder, component: &str) -> Outcome<&'a ComponentSpec> {
    let found = order.spec.iter().flat_map(|spec| &spec.components).find(|wanted| wanted.name == component);
    found.ok_or_else(|| TaskError::new(TaskErrorCode::AgentDefect, format!("the order has no component {component}")))
}

/// Says what the change means for whoever asks a published port of the component.
fn warn(scope: Scope<'_>, component: &str, handover: Handover) {
    let publishes = wanted(scope.order, component)
        .is_ok_and(|wanted| wanted.runtime.ports.iter().any(|port| port.publish.is_on_host()));
    if publishes {
        scope.log.say(Some(component), handover.meaning());
    }
}

async fn stop<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    component: &str,
    old: &[Old],
) -> Outcome<()> {
    for one in old.iter().filter(|one| one.was_running) {
        scope.log.say(Some(component), format!("stops {}", one.name));
        // Off first, or an engine that restarts would start it beside the new one.
        if one.restart != RestartPolicy::No {
            driver.host().set_restart(&one.name, RestartPolicy::No).await?;
        }
        driver.host().stop(&one.name, Duration::from_secs(u64::from(one.grace_seconds))).await?;
    }
    Ok(())
}

async fn new_instance<'a>(
    scope: Scope<'_>,
    component: &'a ComponentSpec,
    instance: u16,
    name: &'a str,
    alias: Alias,
) -> Outcome<NewInstance<'a>> {
    let secrets = secrets(scope, component).await?;
    Ok(NewInstance { name, component, instance, alias, spec_hash: plan::spec_hash(component)?, secrets })
}

async fn make<H: InstanceHost>(driver: &InstanceDriver<H>, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
    if driver.host().inspect(new.name).await?.is_none() {
        let text = format!("makes {} ({})", new.name, new.component.image.reference());
        scope.log.say(Some(&new.component.name), text);
    }
    started(driver, new, driver.host().make(scope, new).await).await?;
    fail::fail_point!("agent::made");
    Ok(())
}

/// With what the instance said, when it could not be started.
async fn started<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    new: &NewInstance<'_>,
    outcome: Outcome<()>,
) -> Outcome<()> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.code == TaskErrorCode::StartFailed => {
            let why = error.message.clone();
            let seen = health::failure(driver, error.code, new.component, new.name, why).await;
            Err(TaskError { hint: error.hint.or(seen.hint), ..seen })
        }
        Err(error) => Err(error.component(&new.component.name)),
    }
}

async fn secrets(scope: Scope<'_>, component: &ComponentSpec) -> Outcome<Vec<GivenSecret>> {
    let mounts = &component.runtime.secrets;
    if mounts.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: Vec<SecretRef> =
        mounts.iter().map(|mount| SecretRef::Environment { name: mount.name.clone() }).collect();
    let values = scope.secrets.get(&wanted).await.map_err(|error| error.component(&component.name))?;
    let given = mounts.iter().zip(values).map(|(mount, value)| GivenSecret {
        form: mount.form,
        target: mount.target.clone().unwrap_or_else(|| mount.name.clone()),
        value,
    });
    Ok(given.collect())
}

/// The instances that the order's spec stands for now: new ones, and old ones that run so already.
pub(super) async fn standing<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    order: &TaskOrder,
) -> Outcome<Vec<(ComponentSpec, String)>> {
    let present = driver.host().list(order.target.id).await?;
    let mut all = Vec::new();
    for component in order.spec.iter().flat_map(|spec| &spec.components) {
        let hash = plan::spec_hash(component)?;
        let of_component = present.iter().filter(|instance| {
            instance.ours.as_ref().is_some_and(|ours| {
                ours.application == order.application
                    && ours.component == component.name
                    && ours.spec_hash == Some(hash)
            })
        });
        let (new, kept): (Vec<_>, Vec<_>) = of_component
            .partition(|instance| instance.ours.as_ref().is_some_and(|ours| ours.task_id == Some(order.task_id)));
        let set = if new.is_empty() {
            kept.into_iter().filter(|instance| instance.state == RunState::Running).collect()
        } else {
            new
        };
        all.extend(set.into_iter().map(|instance| (component.clone(), instance.name.clone())));
    }
    Ok(all)
}

/// From here on the set stands: it comes up again by itself, and the record says so.
async fn settle<H: InstanceHost>(driver: &InstanceDriver<H>, order: &TaskOrder) -> Outcome<()> {
    let all = standing(driver, order).await?;
    for (component, name) in &all {
        driver.host().set_restart(name, component.runtime.restart.unwrap_or_default()).await?;
    }
    let directory = driver.host().directory();
    let before = record::read_record(directory, &order.application)?;
    let mut images = before.map(|record| record.images).unwrap_or_default();
    if let Some(spec) = order.spec.as_ref().filter(|spec| !spec.components.is_empty()) {
        images.retain(|release| release.release_id != spec.release_id);
        images
            .insert(0, ReleaseImages { release_id: spec.release_id, images: clean::images_of(order), given_up: false });
    }
    let record = Record {
        task_id: order.task_id,
        epoch: order.epoch,
        spec: order.spec.clone().filter(|spec| !spec.components.is_empty()),
        instances: all.into_iter().map(|(_, name)| name).collect(),
        images,
    };
    record::write(directory, &order.application, &record)
}
