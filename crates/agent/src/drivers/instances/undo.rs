//! Takes steps back: what ran before runs again before what is new goes.

use std::time::Duration;

use tokio::time::Instant;

use plimsoll_core::component::runtime::RestartPolicy;
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{TaskError, TaskErrorCode},
};

use super::{InstanceDriver, health, plan, record, sticker};
use crate::{
    drivers::{Outcome, Scope, host::InstanceHost},
    task::step::{Old, Plan, Step},
};

/// What ran before is given this long to answer before what is new goes.
const PATIENCE: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(500);
/// A new instance that is taken back is stopped within this.
const GRACE: Duration = Duration::from_secs(10);

pub(super) async fn step<H: InstanceHost>(driver: &InstanceDriver<H>, scope: Scope<'_>, step: &Step) -> Outcome<()> {
    let directory = driver.host().directory();
    let application = &scope.order.application;
    match step {
        Step::Make { component, name, .. } | Step::Start { component, name, .. } => {
            if driver.host().inspect(name).await?.is_some() {
                scope.log.say(Some(component), format!("removes {name}"));
                driver.host().stop(name, GRACE).await?;
                driver.host().remove(name).await?;
            }
            Ok(())
        }
        Step::StopOld { component, old } | Step::Retire { component, old } => {
            for one in old.iter().filter(|one| one.was_running) {
                start_again(driver, scope, component, one).await?;
            }
            Ok(())
        }
        Step::Settle { previous } => record::write_text(directory, application, previous.as_deref()),
        Step::Sticker { previous } => sticker::place(directory, application, previous.as_deref()),
        Step::Clean { .. }
        | Step::Check { .. }
        | Step::Prepare
        | Step::Pull { .. }
        | Step::Health { .. }
        | Step::Switch { .. }
        | Step::Watch { .. }
        | Step::Discard { .. }
        | Step::Prune => Ok(()),
    }
}

/// Starts what ran before and does not run now. What was left alone needs that when the engine itself ended
/// it (with a restart of its own, say).
pub(super) async fn restore<H: InstanceHost>(driver: &InstanceDriver<H>, scope: Scope<'_>, plan: &Plan) -> Outcome<()> {
    for step in &plan.steps {
        let (Step::StopOld { component, old } | Step::Retire { component, old }) = step else { continue };
        for one in old.iter().filter(|one| one.was_running) {
            let found = driver.host().inspect(&one.name).await?;
            if !found.is_some_and(|found| plan::is_up(&found)) {
                start_again(driver, scope, component, one).await?;
            }
        }
    }
    Ok(())
}

async fn start_again<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    component: &str,
    old: &Old,
) -> Outcome<()> {
    let host = driver.host();
    scope.log.say(Some(component), format!("starts {} again", old.name));
    if host.inspect(&old.name).await?.is_none() {
        let message = format!("{}, which ran before, is gone: somebody removed it", old.name);
        return Err(TaskError::new(TaskErrorCode::UndoFailed, message).component(component));
    }
    // First, or one that ended in between would stay so.
    if old.restart != RestartPolicy::No {
        host.set_restart(&old.name, old.restart).await?;
    }
    host.start(scope, &old.name).await?;
    await_answer(driver, scope, component, &old.name).await
}

/// Waits until it answers as it did before. One that runs without answering is told, not given up: it is
/// what ran before.
async fn await_answer<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    component: &str,
    name: &str,
) -> Outcome<()> {
    let record = record::read_record(driver.host().directory(), &scope.order.application)?;
    let known = plan::component_before(scope.order, record.as_ref(), component);
    let check = known.and_then(|known| known.runtime.health.as_ref());
    let give_up = Instant::now() + PATIENCE;
    loop {
        let instance = driver.host().inspect(name).await?.filter(|instance| instance.state != RunState::Exited);
        let Some(instance) = instance else {
            let message = format!("{name}, which ran before, ended right after it was started again");
            return Err(TaskError::new(TaskErrorCode::UndoFailed, message).component(component));
        };
        if health::looks_well(driver, &instance, check).await {
            return Ok(());
        }
        if Instant::now() >= give_up {
            scope.log.say(Some(component), format!("{name} runs again and does not answer its health check yet"));
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}
