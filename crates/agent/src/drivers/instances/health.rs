//! Waiting for health, watching it, and a glance at it.

use std::time::Duration;

use tokio::time::Instant;

use plimsoll_core::{
    Timestamp,
    component::runtime::{Health, HealthCheck, RestartPolicy},
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{HealthVerdict, TaskError, TaskErrorCode},
};

use super::{
    InstanceDriver,
    judge::{Judge, Rules, Verdict},
};
use crate::drivers::{
    Outcome, Scope,
    host::{HostHealth, Instance, InstanceHost, Probe},
};

/// Between two looks at whether it still runs.
const LOOK: Duration = Duration::from_millis(500);
/// Without a check it is looked at as often.
const GLANCE_TIMEOUT: Duration = Duration::from_secs(5);
/// More restarts than this while it is watched are a failure.
const MAX_RESTARTS: u32 = 3;
/// Lines of a failed component that go into its task's error.
const TAIL: usize = 200;

/// One that took its name is given this long to answer again.
const PATIENCE: Duration = Duration::from_mins(1);

/// One instance that is being waited for.
struct Watched {
    name: String,
    judge: Judge,
    next_check: Instant,
    /// Those that count against it are the ones since then.
    restarts_before: Option<u32>,
    healthy_at: Option<Timestamp>,
    bears: Bears,
}

/// What an instance may do and still be well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Bears {
    /// Nothing: it is being brought.
    NoEnd,
    /// It came up well once, and its host may start it again now and then.
    Restarts,
}

/// Waits until all of `names` are healthy; returns since when the last of them is.
pub(super) async fn wait<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    component: &ComponentSpec,
    names: &[String],
) -> Outcome<Timestamp> {
    let health = component.runtime.health.as_ref();
    let began = Instant::now();
    let mut since = driver.context.now();
    for name in names {
        // One after the other is enough: those that come later have had time meanwhile.
        let mut watched = Watched::new(name, health, began, Bears::NoEnd);
        watched.count_restarts(driver, scope).await;
        loop {
            look(driver, component, &mut watched, began).await?;
            match watched.judge.verdict(began.elapsed()) {
                Verdict::Waiting => tokio::time::sleep(LOOK.min(pause(health))).await,
                Verdict::Healthy(_) => break,
                Verdict::Unhealthy(why) => {
                    return Err(failure(driver, TaskErrorCode::Unhealthy, component, name, why).await);
                }
            }
        }
        since = since.max(watched.healthy_at.unwrap_or(since));
    }
    Ok(since)
}

/// Looks on for `seconds`: an instance that ends, restarts too often or turns unhealthy is a failure. In the
/// end all must be well; one that fails a check just then gets its retries.
pub(super) async fn watch<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    all: &[(ComponentSpec, String)],
    seconds: u32,
) -> Outcome<()> {
    let began = Instant::now();
    let length = Duration::from_secs(u64::from(seconds));
    let mut watched: Vec<(&ComponentSpec, Watched)> = all
        .iter()
        .map(|(component, name)| {
            let health = component.runtime.health.as_ref();
            (component, Watched::new(name, health, began, Bears::Restarts))
        })
        .collect();
    for (_, one) in &mut watched {
        one.count_restarts(driver, scope).await;
    }
    scope.log.say(None, format!("watches for {seconds} s"));
    loop {
        for (component, one) in &mut watched {
            look(driver, component, one, began).await?;
            if let Verdict::Unhealthy(why) = one.judge.verdict(Duration::ZERO) {
                return Err(failure(driver, TaskErrorCode::Unstable, component, &one.name, why).await);
            }
        }
        if began.elapsed() >= length {
            match watched.iter().find(|(_, one)| !one.judge.is_well()) {
                None => return Ok(()),
                Some((component, one)) if began.elapsed() >= length + PATIENCE => {
                    let why = format!("it was not healthy at the end of the watch: {}", one.judge.last());
                    return Err(failure(driver, TaskErrorCode::Unstable, component, &one.name, why).await);
                }
                Some(_) => {}
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until all of `names` answer their check; no longer than patience lasts.
pub(super) async fn answers_again<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    component: &ComponentSpec,
    names: &[String],
) -> Outcome<()> {
    let check = component.runtime.health.as_ref();
    let give_up = Instant::now() + PATIENCE;
    for name in names {
        loop {
            let instance = driver.host().inspect(name).await?;
            match &instance {
                Some(instance) if looks_well(driver, instance, check).await => break,
                Some(_) | None if Instant::now() < give_up => tokio::time::sleep(LOOK).await,
                Some(_) | None => {
                    let why = "it did not answer any more after it took its component's name".to_owned();
                    return Err(failure(driver, TaskErrorCode::Unhealthy, component, name, why).await);
                }
            }
        }
    }
    Ok(())
}

/// Whether an instance answers its check right now.
pub(super) async fn looks_well<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    instance: &Instance,
    health: Option<&Health>,
) -> bool {
    matches!(glance(driver, instance, health).await, HealthVerdict::Healthy | HealthVerdict::None)
}

/// The verdict of one check right now.
pub(super) async fn glance<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    instance: &Instance,
    health: Option<&Health>,
) -> HealthVerdict {
    if instance.state != RunState::Running {
        return HealthVerdict::Unhealthy;
    }
    let Some(health) = health else { return HealthVerdict::None };
    let timeout = Duration::from_secs(u64::from(health.timeout_seconds.max(1))).min(GLANCE_TIMEOUT);
    match ask(driver, instance, health, timeout).await {
        Ok(Probe::Good) => HealthVerdict::Healthy,
        Ok(Probe::Bad(_)) => HealthVerdict::Unhealthy,
        Ok(Probe::NotYet(_)) | Err(_) => HealthVerdict::Unknown,
    }
}

impl Watched {
    fn new(name: &str, health: Option<&Health>, now: Instant, bears: Bears) -> Self {
        Self {
            name: name.to_owned(),
            judge: Judge::new(Rules::of(health)),
            next_check: now,
            restarts_before: None,
            healthy_at: None,
            bears,
        }
    }

    /// All restarts of one that this task brought count against it, also those that nobody has seen yet.
    async fn count_restarts<H: InstanceHost>(&mut self, driver: &InstanceDriver<H>, scope: Scope<'_>) {
        let found = driver.host().inspect(&self.name).await.ok().flatten();
        let brought_by = found.and_then(|found| found.ours).and_then(|ours| ours.task_id);
        if brought_by == Some(scope.order.task_id) {
            self.restarts_before = Some(0);
        }
    }

    fn hear(&mut self, elapsed: Duration, probe: Probe, now: Timestamp) {
        match probe {
            Probe::Good => _ = self.healthy_at.get_or_insert(now),
            Probe::NotYet(_) | Probe::Bad(_) => self.healthy_at = None,
        }
        self.judge.hear(elapsed, probe);
    }
}

/// Looks at one instance: whether it runs, and its check when that is due.
async fn look<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    component: &ComponentSpec,
    watched: &mut Watched,
    began: Instant,
) -> Outcome<()> {
    let now = driver.context.now();
    let instance = match driver.host().inspect(&watched.name).await {
        Ok(Some(instance)) => instance,
        Ok(None) => {
            let message = format!("{} is gone: somebody removed it", watched.name);
            return Err(TaskError::new(TaskErrorCode::Unstable, message).component(&component.name));
        }
        // The engine may be busy; the deadline ends the patience.
        Err(error) => {
            watched.hear(began.elapsed(), Probe::NotYet(error.to_string()), now);
            return Ok(());
        }
    };
    let restarts = instance.restarts.saturating_sub(*watched.restarts_before.get_or_insert(instance.restarts));
    match watched.bears {
        Bears::NoEnd if restarts > 0 => {
            let why = format!("it ended, and its host started it again ({restarts} times)");
            return Err(failure(driver, TaskErrorCode::StartFailed, component, &watched.name, why).await);
        }
        Bears::Restarts if restarts > MAX_RESTARTS => {
            let why = format!("it restarted {restarts} times");
            return Err(failure(driver, TaskErrorCode::Unstable, component, &watched.name, why).await);
        }
        Bears::NoEnd | Bears::Restarts => {}
    }
    match instance.state {
        RunState::Running => {}
        RunState::Created | RunState::Restarting => {
            watched.hear(began.elapsed(), Probe::NotYet("it is being started".into()), now);
            return Ok(());
        }
        // Between its end and its next start, for an engine that tells that moment.
        RunState::Exited if watched.bears == Bears::Restarts && instance.restart != RestartPolicy::No => {
            watched.hear(began.elapsed(), Probe::NotYet(ended(&instance)), now);
            return Ok(());
        }
        RunState::Exited => {
            let why = ended(&instance);
            return Err(failure(driver, TaskErrorCode::StartFailed, component, &watched.name, why).await);
        }
    }
    if Instant::now() < watched.next_check {
        return Ok(());
    }
    let health = component.runtime.health.as_ref();
    watched.next_check = Instant::now() + pause(health);
    let probe = match health {
        None => Probe::Good,
        Some(health) => {
            let timeout = Duration::from_secs(u64::from(health.timeout_seconds.max(1)));
            ask(driver, &instance, health, timeout).await.unwrap_or_else(|error| Probe::NotYet(error.to_string()))
        }
    };
    watched.hear(began.elapsed(), probe, driver.context.now());
    Ok(())
}

async fn ask<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    instance: &Instance,
    health: &Health,
    timeout: Duration,
) -> Outcome<Probe> {
    match &health.check {
        HealthCheck::Docker => Ok(match &instance.host_health {
            HostHealth::Healthy => Probe::Good,
            HostHealth::Starting => Probe::NotYet("the engine says: starting".into()),
            HostHealth::Unhealthy(said) => Probe::Bad(format!("the engine says: unhealthy: {said}")),
            HostHealth::None => Probe::Bad("the image has no HEALTHCHECK, or the engine does not run it".into()),
        }),
        check @ (HealthCheck::Http { .. } | HealthCheck::Tcp { .. } | HealthCheck::Command { .. }) => {
            driver.host().probe(instance, check, timeout).await
        }
    }
}

fn ended(instance: &Instance) -> String {
    match (instance.oom_killed, instance.exit_code) {
        (true, _) => "it was killed for its memory".to_owned(),
        (false, Some(code)) => format!("it ended with exit code {code}"),
        (false, None) => "it ended".to_owned(),
    }
}

fn pause(health: Option<&Health>) -> Duration {
    health.map_or(LOOK, |health| Duration::from_secs(u64::from(health.interval_seconds.max(1))))
}

/// An error with all that is known of the failed instance, before it is removed.
pub(super) async fn failure<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    code: TaskErrorCode,
    component: &ComponentSpec,
    name: &str,
    why: String,
) -> TaskError {
    let ended = driver.host().inspect(name).await.ok().flatten();
    TaskError {
        log_tail: driver.host().log_tail(name, TAIL).await,
        exit_code: ended.as_ref().filter(|ended| ended.state == RunState::Exited).and_then(|ended| ended.exit_code),
        oom_killed: ended.is_some_and(|ended| ended.oom_killed),
        ..TaskError::new(code, format!("{}: {why}", component.name))
            .component(&component.name)
            .hint("look at its last lines, mend the image or its configuration, then deploy again")
    }
}
