//! What runs after a task, component by component.

use plimsoll_core::{Digest, deployment::spec::ComponentSpec};
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{ComponentResult, HealthVerdict},
};

use super::{InstanceDriver, health, plan, record};
use crate::{
    drivers::{
        Outcome, Scope,
        host::{Instance, InstanceHost},
    },
    task::machine::Machine,
};

pub(super) async fn make<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    machine: &Machine,
) -> Outcome<Vec<ComponentResult>> {
    let order = scope.order;
    let record = record::read_record(driver.host().directory(), &order.application)?;
    let present = driver.host().list(order.target.id).await?;
    let wanted: &[ComponentSpec] = order.spec.as_ref().map_or(&[], |spec| &spec.components);
    let before = &machine.plan().before;
    let removed =
        before.iter().map(|old| old.component.as_str()).filter(|name| !wanted.iter().any(|had| had.name == *name));
    let names: Vec<&str> = wanted.iter().map(|component| component.name.as_str()).chain(removed).collect();
    let mut results = Vec::with_capacity(names.len());
    for name in names {
        let wanted = wanted.iter().find(|component| component.name == name);
        let old = before.iter().find(|old| old.component == name);
        let running: Vec<&Instance> = present
            .iter()
            .filter(|instance| instance.state == RunState::Running)
            .filter(|instance| {
                instance
                    .ours
                    .as_ref()
                    .is_some_and(|ours| ours.application == order.application && ours.component == name)
            })
            .collect();
        let known: Vec<&ComponentSpec> = wanted
            .into_iter()
            .chain(plan::component_before(order, record.as_ref(), name))
            .chain(order.previous.iter().flat_map(|spec| &spec.components).filter(|had| had.name == name))
            .collect();
        let check = known.first().and_then(|known| known.runtime.health.as_ref());
        results.push(ComponentResult {
            component_id: wanted.map(|wanted| wanted.component_id).or(old.and_then(|old| old.component_id)),
            component: name.to_owned(),
            from_digest: old.and_then(|old| old.digest),
            to_digest: wanted.map(|wanted| wanted.image.digest),
            running_digest: running.iter().find_map(|instance| digest_of(instance, &known)),
            endpoints: running.iter().flat_map(|instance| instance.endpoints.clone()).collect(),
            downtime_ms: machine.downtime_ms(name),
            health: if wanted.is_none() && running.is_empty() {
                HealthVerdict::None
            } else {
                worst(driver, &running, check).await
            },
        });
    }
    Ok(results)
}

/// The promoted digest that an instance runs, or what the host says.
pub(super) fn digest_of(instance: &Instance, known: &[&ComponentSpec]) -> Option<Digest> {
    let seen = [instance.image_id, instance.made_by_digest];
    let promoted = known.iter().find(|spec| seen.iter().flatten().any(|seen| spec.expected.contains(seen)));
    promoted.map(|spec| spec.image.digest).or(instance.made_by_digest).or(instance.image_id)
}

async fn worst<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    running: &[&Instance],
    check: Option<&plimsoll_core::component::runtime::Health>,
) -> HealthVerdict {
    if running.is_empty() {
        return HealthVerdict::Unhealthy;
    }
    let mut verdict = HealthVerdict::None;
    for instance in running {
        match health::glance(driver, instance, check).await {
            HealthVerdict::Unhealthy => return HealthVerdict::Unhealthy,
            seen => verdict = seen,
        }
    }
    verdict
}
