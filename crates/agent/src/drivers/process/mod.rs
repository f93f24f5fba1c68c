//! `process_host`: static programs without an engine, for demos, tests and small hosts. It does not isolate:
//! what it runs is an ordinary process of an unprivileged user.

mod check;
mod elf;
mod find;
mod image;
mod launch;
mod output;
mod run;
mod unpack;

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_core::{
    component::runtime::{HealthCheck, RestartPolicy},
    deployment::spec::ComponentSpec,
    id::TargetId,
    inventory::AgentResources,
};
use plimsoll_protocol::agent::{
    host::ProcessConnection,
    observe::EngineInfo,
    report::{TaskError, TaskErrorCode},
};

use tokio_util::sync::CancellationToken;

use super::{
    Outcome, Scope,
    host::{ImageRecord, Instance, InstanceHost, NewInstance, Probe, Since, Wanted},
    probe::Prober,
};
use crate::{resources, supervise::Workdir, task::following::Output};
use image::Images;

/// How this agent runs processes.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The program that has the subcommand `supervise`, and the words before it (none for `plimsoll-agent`,
    /// `agent` for `plimsoll`).
    pub supervisor: Vec<String>,
    /// The user and group that processes run as where the target names none; only root can choose.
    pub user: (u32, u32),
}

/// The processes of one target.
#[derive(Clone, Debug)]
pub struct ProcessHost {
    directory: PathBuf,
    settings: ProcessSettings,
    connection: ProcessConnection,
    images: Images,
    prober: Prober,
}

impl ProcessHost {
    /// A host whose files lie in `directory`.
    #[must_use]
    pub fn new(directory: PathBuf, connection: ProcessConnection, settings: ProcessSettings, prober: Prober) -> Self {
        let images = Images::below(&directory);
        Self { directory, settings, connection, images, prober }
    }

    /// The directory of a process.
    fn workdir(&self, name: &str) -> Workdir {
        Workdir(self.processes().join(name))
    }

    fn processes(&self) -> PathBuf {
        self.directory.join("processes")
    }

    /// Who processes run as; `None` when this agent can't choose, not being root.
    fn user(&self) -> Option<(u32, u32)> {
        let user = self.connection.uid.unwrap_or(self.settings.user.0);
        let group = self.connection.gid.or(self.connection.uid).unwrap_or(self.settings.user.1);
        rustix::process::getuid().is_root().then_some((user, group))
    }

    /// The address that published ports are reached under.
    fn address(&self, bind: Option<&str>) -> String {
        let bound = bind.filter(|text| text.parse::<IpAddr>().is_ok_and(|address| !address.is_unspecified()));
        self.connection.advertise_address.as_deref().or(bound).unwrap_or("127.0.0.1").to_owned()
    }
}

impl InstanceHost for ProcessHost {
    fn directory(&self) -> &Path {
        &self.directory
    }

    fn neighbours(&self) -> Vec<PathBuf> {
        // Each target unpacks its own.
        Vec::new()
    }

    async fn engine(&self) -> Outcome<Option<EngineInfo>> {
        Ok(None)
    }

    async fn resources(&self) -> AgentResources {
        resources::of(&self.directory)
    }

    async fn list(&self, target: TargetId) -> Outcome<Vec<Instance>> {
        find::all(self, target)
    }

    async fn inspect(&self, name: &str) -> Outcome<Option<Instance>> {
        find::one(self, name)
    }

    async fn check(&self, wanted: Wanted<'_>) -> Outcome<()> {
        check::all(self, wanted)
    }

    async fn prepare(&self, scope: Scope<'_>) -> Outcome<()> {
        let components = scope.order.spec.iter().flat_map(|spec| &spec.components);
        for component in components.filter(|component| component.runtime.resources.is_some()) {
            let name = Some(component.name.as_str());
            scope.log.say(name, "limits of memory, processors and processes are not applied by process_host");
        }
        Ok(())
    }

    async fn pull(&self, scope: Scope<'_>, component: &ComponentSpec) -> Outcome<()> {
        self.images.pull(scope, component).await.map_err(|error| error.component(&component.name))?;
        let image = self.images.find(component)?;
        let image = image.ok_or_else(|| TaskError::new(TaskErrorCode::PullFailed, "the image is gone again"))?;
        check::entrypoint(&image, component).map(|_| ())
    }

    async fn make(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        launch::make(self, scope, new)
    }

    async fn run(&self, _scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        run::first(self, &self.workdir(new.name), launch::secrets_of(new)).await
    }

    async fn start(&self, scope: Scope<'_>, name: &str) -> Outcome<()> {
        let secrets = launch::secrets_again(self, scope, name).await?;
        run::again(self, &self.workdir(name), secrets).await
    }

    async fn stop(&self, name: &str, grace: Duration) -> Outcome<()> {
        run::stop(&self.workdir(name), grace).await
    }

    async fn remove(&self, name: &str) -> Outcome<()> {
        run::remove(&self.workdir(name)).await
    }

    async fn set_restart(&self, name: &str, policy: RestartPolicy) -> Outcome<()> {
        let workdir = self.workdir(name);
        let control = workdir.control().map_err(|cause| unusable(&workdir, &cause))?;
        workdir
            .write_control(crate::supervise::Control { restart: policy, ..control })
            .map_err(|cause| unusable(&workdir, &cause))
    }

    async fn take_name(&self, _name: &str, _component: &ComponentSpec) -> Outcome<()> {
        // There are no networks, and so no names on them.
        Ok(())
    }

    async fn probe(&self, instance: &Instance, check: &HealthCheck, timeout: Duration) -> Outcome<Probe> {
        let ports = self.ports(&instance.name)?;
        let at = |port: &u16| ports.get(port).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, *port)));
        Ok(match check {
            HealthCheck::Http { port, path } => match at(port) {
                Some(at) => self.prober.http(at, path, timeout).await,
                None => Probe::Bad(format!("the component declares no port {port}")),
            },
            HealthCheck::Tcp { port } => match at(port) {
                Some(at) => self.prober.tcp(at, timeout).await,
                None => Probe::Bad(format!("the component declares no port {port}")),
            },
            HealthCheck::Command { command } => run::command(self, &instance.name, command, timeout).await?,
            HealthCheck::Docker => Probe::Bad("process_host has no HEALTHCHECK; use http, tcp or command".into()),
        })
    }

    async fn log_tail(&self, name: &str, lines: usize) -> Vec<String> {
        find::log_tail(&self.workdir(name), lines)
    }

    async fn follow(&self, name: &str, since: Since, output: &mut Output, end: &CancellationToken) {
        output::follow(&self.workdir(name), since, output, end).await;
    }

    async fn prune(&self, drop: &[ImageRecord], keep: &[ImageRecord]) -> Outcome<Vec<ImageRecord>> {
        let used = find::images_in_use(self)?;
        let mut gone = Vec::new();
        for image in drop.iter().filter(|image| !used.contains(&image.digest)) {
            if !keep.iter().any(|kept| kept.digest == image.digest) {
                self.images.remove(&image.digest)?;
                gone.push(image.clone());
            }
        }
        Ok(gone)
    }
}

impl ProcessHost {
    /// The host's port by the component's.
    fn ports(&self, name: &str) -> Outcome<BTreeMap<u16, u16>> {
        let workdir = self.workdir(name);
        let spec = workdir.spec().map_err(|cause| unusable(&workdir, &cause))?;
        Ok(spec.map(|spec| spec.ports).unwrap_or_default())
    }

    /// Starts again what should run and whose supervisor is gone, as an engine does after a boot of its host.
    /// Processes with secrets wait for the next deployment: their values are nowhere on the host.
    pub async fn tend(&self) {
        for spec in find::orphans(self) {
            let workdir = self.workdir(&spec.name);
            if !spec.secrets.is_empty() {
                tracing::warn!(
                    name = spec.name,
                    "ended with its supervisor and can't be started again: its secrets are not on the host; deploy again"
                );
                continue;
            }
            tracing::info!(name = spec.name, "is started again");
            if let Err(error) = run::again(self, &workdir, BTreeMap::new()).await {
                tracing::warn!(name = spec.name, %error, "could not be started again");
            }
        }
    }
}

fn unusable(workdir: &Workdir, cause: &std::io::Error) -> TaskError {
    TaskError::new(TaskErrorCode::EngineUnavailable, format!("{} can't be used: {cause}", workdir.0.display()))
        .hint("look at the disk's space and at the directory's owner")
}
