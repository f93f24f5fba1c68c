//! A host in memory that can be killed between any two effects, and a journal that survives it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use plimsoll_agent::{
    drivers::{
        Outcome, Scope,
        host::{HostHealth, ImageRecord, Instance, InstanceHost, NewInstance, Ours, Probe, Since, Wanted},
    },
    task::{entry::Entry, following::Output, journal::Journal},
};
use plimsoll_core::{
    component::runtime::{HealthCheck, RestartPolicy},
    deployment::spec::ComponentSpec,
    id::TargetId,
    inventory::AgentResources,
};
use plimsoll_protocol::agent::{
    observe::{EngineInfo, RunState},
    order::TaskOrder,
    report::{TaskError, TaskErrorCode},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// All that is there; clones see the same.
#[derive(Clone)]
pub struct World(Arc<Shared>);

struct Shared {
    directory: PathBuf,
    state: Mutex<State>,
    killed: Notify,
}

#[derive(Default)]
pub struct State {
    pub instances: BTreeMap<String, Sim>,
    pub entries: Vec<Entry>,
    /// Effects and writes so far.
    pub ticks: usize,
    /// At which of them the agent dies.
    pub kills: BTreeSet<usize>,
    /// Components whose new version never becomes healthy.
    pub sick: BTreeSet<String>,
    /// Components that had a running old instance and must never be without one that runs.
    pub guarded: BTreeSet<String>,
    /// What was seen to be wrong on the way.
    pub wrong: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct Sim {
    pub instance: Instance,
    pub starts: u32,
    pub new: bool,
}

impl World {
    pub fn new(directory: &Path) -> Self {
        let directory = directory.to_owned();
        Self(Arc::new(Shared { directory, state: Mutex::default(), killed: Notify::new() }))
    }

    pub fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.state.lock().unwrap())
    }

    pub async fn killed(&self) {
        self.0.killed.notified().await;
    }

    /// One moment between two effects: the agent may die here and never come back from it.
    async fn tick(&self) {
        let dies = self.with(|state| {
            let tick = state.ticks;
            state.ticks += 1;
            let served = |component: &String| {
                state.instances.values().any(|sim| {
                    sim.instance.state == RunState::Running && component_of(&sim.instance) == Some(component)
                })
            };
            let bare: Vec<String> = state.guarded.iter().filter(|component| !served(component)).cloned().collect();
            state.wrong.extend(bare.into_iter().map(|name| format!("nothing of {name} ran at tick {tick}")));
            state.kills.contains(&tick)
        });
        if dies {
            self.0.killed.notify_one();
            std::future::pending::<()>().await;
        }
    }

    async fn change<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        self.tick().await;
        let done = self.with(work);
        self.tick().await;
        done
    }
}

pub fn component_of(instance: &Instance) -> Option<&String> {
    instance.ours.as_ref().map(|ours| &ours.component)
}

/// The journal in memory: what was appended survives a kill right after.
pub struct SimJournal(pub World);

impl Journal for SimJournal {
    async fn append(&mut self, entry: &Entry) -> plimsoll_core::Result<()> {
        self.0.change(|state| state.entries.push(entry.clone())).await;
        Ok(())
    }
}

impl InstanceHost for World {
    fn directory(&self) -> &Path {
        &self.0.directory
    }

    fn neighbours(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    async fn engine(&self) -> Outcome<Option<EngineInfo>> {
        Ok(None)
    }

    async fn resources(&self) -> AgentResources {
        AgentResources::default()
    }

    async fn list(&self, _target: TargetId) -> Outcome<Vec<Instance>> {
        Ok(self.with(|state| state.instances.values().map(|sim| sim.instance.clone()).collect()))
    }

    async fn inspect(&self, name: &str) -> Outcome<Option<Instance>> {
        Ok(self.with(|state| state.instances.get(name).map(|sim| sim.instance.clone())))
    }

    async fn check(&self, _wanted: Wanted<'_>) -> Outcome<()> {
        Ok(())
    }

    async fn prepare(&self, _scope: Scope<'_>) -> Outcome<()> {
        Ok(())
    }

    async fn pull(&self, _scope: Scope<'_>, _component: &ComponentSpec) -> Outcome<()> {
        self.tick().await;
        Ok(())
    }

    async fn make(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        let made = instance(new.name, scope.order, new.component, new.spec_hash);
        self.change(|state| {
            state.instances.entry(new.name.to_owned()).or_insert(Sim { instance: made, starts: 0, new: true });
        })
        .await;
        Ok(())
    }

    async fn run(&self, _scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        self.change(|state| {
            let sim = state.instances.get_mut(new.name).unwrap();
            if !sim.instance.was_started {
                run(sim);
            }
        })
        .await;
        Ok(())
    }

    async fn start(&self, _scope: Scope<'_>, name: &str) -> Outcome<()> {
        self.change(|state| {
            let sim = state.instances.get_mut(name).unwrap();
            if sim.instance.state != RunState::Running {
                run(sim);
            }
        })
        .await;
        Ok(())
    }

    async fn stop(&self, name: &str, _grace: Duration) -> Outcome<()> {
        self.change(|state| {
            if let Some(sim) = state.instances.get_mut(name) {
                sim.instance.state = RunState::Exited;
            }
        })
        .await;
        Ok(())
    }

    async fn remove(&self, name: &str) -> Outcome<()> {
        self.change(|state| state.instances.remove(name)).await;
        Ok(())
    }

    async fn set_restart(&self, name: &str, policy: RestartPolicy) -> Outcome<()> {
        self.change(|state| match state.instances.get_mut(name) {
            Some(sim) => {
                sim.instance.restart = policy;
                Ok(())
            }
            None => Err(TaskError::new(TaskErrorCode::EngineUnavailable, format!("no {name}"))),
        })
        .await
    }

    async fn take_name(&self, _name: &str, _component: &ComponentSpec) -> Outcome<()> {
        self.tick().await;
        Ok(())
    }

    async fn probe(&self, instance: &Instance, _check: &HealthCheck, _timeout: Duration) -> Outcome<Probe> {
        let component = component_of(instance).cloned().unwrap_or_default();
        let sick = self.with(|state| {
            state.sick.contains(&component) && state.instances.get(&instance.name).is_some_and(|sim| sim.new)
        });
        self.tick().await;
        Ok(if sick { Probe::Bad("sick".into()) } else { Probe::Good })
    }

    async fn log_tail(&self, _name: &str, _lines: usize) -> Vec<String> {
        vec!["last words".to_owned()]
    }

    async fn follow(&self, _name: &str, _since: Since, _output: &mut Output, _end: &CancellationToken) {}

    async fn prune(&self, drop: &[ImageRecord], _keep: &[ImageRecord]) -> Outcome<Vec<ImageRecord>> {
        Ok(drop.to_vec())
    }
}

pub fn instance(name: &str, order: &TaskOrder, component: &ComponentSpec, hash: plimsoll_core::Digest) -> Instance {
    Instance {
        name: name.to_owned(),
        ours: Some(Ours {
            application: order.application.clone(),
            component: component.name.clone(),
            instance: 0,
            release_id: order.spec.as_ref().map(|spec| spec.release_id),
            task_id: Some(order.task_id),
            epoch: order.epoch,
            spec_hash: Some(hash),
        }),
        state: RunState::Created,
        was_started: false,
        started_at: None,
        exit_code: None,
        oom_killed: false,
        restarts: 0,
        restart: RestartPolicy::No,
        image_id: Some(component.expected.config),
        made_by_digest: Some(component.image.digest),
        endpoints: Vec::new(),
        host_health: HostHealth::None,
    }
}

fn run(sim: &mut Sim) {
    sim.starts += 1;
    sim.instance.was_started = true;
    sim.instance.state = RunState::Running;
}
