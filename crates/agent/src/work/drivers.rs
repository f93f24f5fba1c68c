//! From a target's connection to its driver: the one place that lists them.

use std::path::PathBuf;

use plimsoll_core::{Result, context::Context, id::TargetId};
use plimsoll_protocol::agent::{
    host::{Connection, ProcessConnection},
    observe::TargetObservation,
    order::TargetInfo,
    report::ComponentResult,
};

use crate::{
    config::AgentConfig,
    drivers::{
        Applied, Driver, Outcome, Scope,
        docker::DockerHost,
        instances::InstanceDriver,
        probe::Prober,
        process::{ProcessHost, ProcessSettings},
    },
    fence::Fence,
    task::{
        machine::Machine,
        step::{Plan, Step},
    },
};

/// Makes drivers.
#[derive(Clone, Debug)]
pub struct Drivers {
    deployments: PathBuf,
    processes: ProcessSettings,
    prober: Prober,
    context: Context,
}

/// A driver of any kind.
#[derive(Clone, Debug)]
pub enum AnyDriver {
    /// A container engine.
    Docker(InstanceDriver<DockerHost>),
    /// Plain processes.
    Process(InstanceDriver<ProcessHost>),
}

impl Drivers {
    /// With the agent's settings.
    pub fn new(config: &AgentConfig, context: Context) -> Result<Self> {
        let supervisor = match config.supervisor.as_slice() {
            [] => vec![own_program()],
            given => given.to_vec(),
        };
        let user = (config.process_uid, config.process_gid);
        let processes = ProcessSettings { supervisor, user };
        Ok(Self { deployments: config.deployments(), processes, prober: Prober::new()?, context })
    }

    /// The driver of a target. Nothing is connected yet.
    pub fn open(&self, target: &TargetInfo) -> AnyDriver {
        match &target.connection {
            Connection::ProcessHost(connection) => {
                AnyDriver::Process(InstanceDriver::new(self.processes(target, connection), self.context.clone()))
            }
            Connection::DockerHost(connection) => {
                let directory = self.directory(target.id, connection.deployment_directory.as_deref());
                let host = DockerHost::new(directory, connection.clone(), self.prober.clone());
                AnyDriver::Docker(InstanceDriver::new(host, self.context.clone()))
            }
        }
    }

    /// The target as a process host, if it is one.
    #[must_use]
    pub fn process_host(&self, target: &TargetInfo) -> Option<ProcessHost> {
        match &target.connection {
            Connection::ProcessHost(connection) => Some(self.processes(target, connection)),
            Connection::DockerHost(_) => None,
        }
    }

    fn processes(&self, target: &TargetInfo, connection: &ProcessConnection) -> ProcessHost {
        let directory = self.directory(target.id, connection.deployment_directory.as_deref());
        ProcessHost::new(directory, connection.clone(), self.processes.clone(), self.prober.clone())
    }

    /// The fence of a target.
    pub fn fence(&self, target: &TargetInfo) -> Outcome<Fence> {
        let given = match &target.connection {
            Connection::ProcessHost(connection) => connection.deployment_directory.as_deref(),
            Connection::DockerHost(connection) => connection.deployment_directory.as_deref(),
        };
        Fence::open(&self.directory(target.id, given))
    }

    /// A target's directory: its own below what it names, or below the agent's.
    fn directory(&self, target: TargetId, given: Option<&str>) -> PathBuf {
        given.map_or_else(|| self.deployments.clone(), PathBuf::from).join(target.to_string())
    }
}

/// The program that runs now; it has the subcommand.
fn own_program() -> String {
    std::env::current_exe().map_or_else(|_| "plimsoll-agent".to_owned(), |path| path.display().to_string())
}

impl Driver for AnyDriver {
    async fn plan(&self, scope: Scope<'_>) -> Outcome<Plan> {
        match self {
            Self::Docker(driver) => driver.plan(scope).await,
            Self::Process(driver) => driver.plan(scope).await,
        }
    }

    async fn highest_epoch(&self, target: &TargetInfo) -> Outcome<u64> {
        match self {
            Self::Docker(driver) => driver.highest_epoch(target).await,
            Self::Process(driver) => driver.highest_epoch(target).await,
        }
    }

    async fn apply(&self, scope: Scope<'_>, step: &Step) -> Outcome<Applied> {
        match self {
            Self::Docker(driver) => driver.apply(scope, step).await,
            Self::Process(driver) => driver.apply(scope, step).await,
        }
    }

    async fn undo(&self, scope: Scope<'_>, step: &Step) -> Outcome<()> {
        match self {
            Self::Docker(driver) => driver.undo(scope, step).await,
            Self::Process(driver) => driver.undo(scope, step).await,
        }
    }

    async fn restore(&self, scope: Scope<'_>, plan: &Plan) -> Outcome<()> {
        match self {
            Self::Docker(driver) => driver.restore(scope, plan).await,
            Self::Process(driver) => driver.restore(scope, plan).await,
        }
    }

    async fn report(&self, scope: Scope<'_>, machine: &Machine) -> Outcome<Vec<ComponentResult>> {
        match self {
            Self::Docker(driver) => driver.report(scope, machine).await,
            Self::Process(driver) => driver.report(scope, machine).await,
        }
    }

    async fn observe(&self, target: &TargetInfo) -> TargetObservation {
        match self {
            Self::Docker(driver) => driver.observe(target).await,
            Self::Process(driver) => driver.observe(target).await,
        }
    }
}
