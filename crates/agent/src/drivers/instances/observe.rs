//! What is ours on a target, looked at now.

use std::time::Duration;

use futures_util::future::join_all;

use plimsoll_core::component::runtime::Health;
use plimsoll_protocol::agent::{
    observe::{RunningComponent, TargetObservation},
    order::TargetInfo,
    report::{HealthVerdict, TaskError, TaskErrorCode},
};

use super::{InstanceDriver, Record, health, record, sticker};
use crate::drivers::{
    Outcome,
    host::{Instance, InstanceHost, Ours},
};

/// The whole look takes no longer.
const LIMIT: Duration = Duration::from_secs(8);

pub(super) async fn target<H: InstanceHost>(driver: &InstanceDriver<H>, target: &TargetInfo) -> TargetObservation {
    let directory = driver.host().directory();
    let mut seen = TargetObservation {
        target_id: target.id,
        at: driver.context.now(),
        engine: None,
        resources: driver.host().resources().await,
        epoch: crate::fence::Fence::open(directory).and_then(|fence| fence.epoch()).unwrap_or_default(),
        running: Vec::new(),
        stickers: sticker::read_all(directory),
        error: None,
    };
    let look = tokio::time::timeout(LIMIT, look(driver, target, &mut seen));
    match look.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => seen.error = Some(error),
        Err(_) => {
            let message = format!("the target could not be looked at within {} s", LIMIT.as_secs());
            seen.error = Some(TaskError::new(TaskErrorCode::EngineUnavailable, message));
        }
    }
    seen
}

async fn look<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    target: &TargetInfo,
    seen: &mut TargetObservation,
) -> Outcome<()> {
    seen.engine = driver.host().engine().await?;
    let records = record::all(driver.host().directory());
    let present = driver.host().list(target.id).await?;
    let looks = present.iter().filter_map(|instance| Some((instance, instance.ours.as_ref()?))).map(
        async |(instance, ours)| {
            let check = check_of(&records, ours);
            describe(instance, ours, health::glance(driver, instance, check).await)
        },
    );
    seen.running = join_all(looks).await;
    seen.running.extend(adopted(driver, target).await?);
    seen.epoch = seen.running.iter().map(|running| running.epoch).max().unwrap_or_default().max(seen.epoch);
    Ok(())
}

/// The containers of before us that the target names to be taken over: they stand until the next deployment.
async fn adopted<H: InstanceHost>(driver: &InstanceDriver<H>, target: &TargetInfo) -> Outcome<Vec<RunningComponent>> {
    let mut found = Vec::new();
    for (component, name) in &target.adopt {
        let Some(instance) = driver.host().inspect(name).await?.filter(|instance| instance.ours.is_none()) else {
            continue;
        };
        // Of no application and no epoch: it becomes ours when a deployment takes its place.
        let as_if = Ours { component: component.clone(), ..Ours::default() };
        let mut seen = describe(&instance, &as_if, health::glance(driver, &instance, None).await);
        seen.endpoints.iter_mut().for_each(|endpoint| endpoint.component.clone_from(component));
        found.push(seen);
    }
    Ok(found)
}

fn check_of<'a>(records: &'a [(String, Record)], ours: &Ours) -> Option<&'a Health> {
    let (_, record) = records.iter().find(|(application, _)| *application == ours.application)?;
    let component = record.spec.as_ref()?.components.iter().find(|component| component.name == ours.component)?;
    component.runtime.health.as_ref()
}

fn describe(instance: &Instance, ours: &Ours, health: HealthVerdict) -> RunningComponent {
    RunningComponent {
        application: ours.application.clone(),
        component: ours.component.clone(),
        instance: ours.instance,
        name: instance.name.clone(),
        task_id: ours.task_id,
        release_id: ours.release_id,
        epoch: ours.epoch,
        state: instance.state,
        image_id: instance.image_id,
        made_by_digest: instance.made_by_digest,
        spec_hash: ours.spec_hash,
        health,
        restarts: instance.restarts,
        started_at: instance.started_at,
        endpoints: instance.endpoints.clone(),
    }
}
