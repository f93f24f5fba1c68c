//! `docker_host`: containers of a Docker Engine (20.10 and later) or of Podman's compatible socket.

mod check;
mod client;
mod create;
mod files;
mod instance;
mod network;
mod probe;
mod pull;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{
    container::LogOutput,
    models::{ContainerUpdateBody, RestartPolicy as EnginePolicy},
    query_parameters::{LogsOptionsBuilder, RemoveContainerOptionsBuilder, StopContainerOptionsBuilder},
};
use futures_util::StreamExt;
use tokio_util::sync::CancellationToken;

use plimsoll_core::{
    component::runtime::{HealthCheck, RestartPolicy},
    deployment::spec::{ComponentSpec, label},
    id::TargetId,
    inventory::AgentResources,
};
use plimsoll_protocol::agent::{
    host::DockerConnection,
    observe::EngineInfo,
    order::TaskOrder,
    report::{LogSource, TaskError, TaskErrorCode},
};

use super::{
    Outcome, Scope,
    host::{ImageRecord, Instance, InstanceHost, NewInstance, Probe, Since, Wanted},
    probe::Prober,
};
use crate::{resources, task::following::Output};
use client::{Client, failed, is_absent, is_unchanged};

/// The containers of one target.
#[derive(Clone, Debug)]
pub struct DockerHost {
    directory: PathBuf,
    connection: DockerConnection,
    client: Client,
    prober: Prober,
}

/// Stopping may take this much longer than its grace.
const MARGIN: Duration = Duration::from_mins(1);
/// A container's last lines are read within this, and no more of them than this.
const LOG_LIMIT: Duration = Duration::from_secs(10);
const LOG_BYTES: usize = 256 * 1024;
/// After the end of a task, for lines that are on their way.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Longer than any task lasts.
const FOLLOWED: Duration = Duration::from_hours(24);

impl DockerHost {
    /// A host whose files lie in `directory`. Nothing is connected yet.
    #[must_use]
    pub fn new(directory: PathBuf, connection: DockerConnection, prober: Prober) -> Self {
        let client = Client::new(connection.socket.as_deref());
        Self { directory, connection, client, prober }
    }

    /// The address under which a published port is reached from the agent.
    fn address(&self, bound: Option<&str>) -> String {
        let usable = bound.filter(|text| !matches!(*text, "" | "0.0.0.0" | "::"));
        self.connection.advertise_address.as_deref().or(usable).unwrap_or("127.0.0.1").to_owned()
    }
}

impl InstanceHost for DockerHost {
    fn directory(&self) -> &Path {
        &self.directory
    }

    /// Every other target beside this one: whether it is on the same engine is not looked at, since an image
    /// that is kept too long does no harm.
    fn neighbours(&self) -> Vec<PathBuf> {
        let entries = self.directory.parent().and_then(|parent| std::fs::read_dir(parent).ok());
        let all = entries.into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        all.filter(|path| *path != self.directory && path.is_dir()).collect()
    }

    async fn engine(&self) -> Outcome<Option<EngineInfo>> {
        self.client.describe().await.map(Some)
    }

    async fn resources(&self) -> AgentResources {
        resources::of(&self.directory)
    }

    async fn list(&self, target: TargetId) -> Outcome<Vec<Instance>> {
        instance::all(self, target).await
    }

    async fn inspect(&self, name: &str) -> Outcome<Option<Instance>> {
        instance::one(self, name).await
    }

    async fn check(&self, wanted: Wanted<'_>) -> Outcome<()> {
        check::all(self, wanted).await
    }

    async fn prepare(&self, scope: Scope<'_>) -> Outcome<()> {
        network::prepare(self, scope).await
    }

    async fn pull(&self, scope: Scope<'_>, component: &ComponentSpec) -> Outcome<()> {
        pull::image(self, scope, component).await.map_err(|error| error.component(&component.name))
    }

    async fn make(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        create::make(self, scope, new).await.map(|_| ())
    }

    async fn run(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
        create::run(self, scope, new).await
    }

    async fn start(&self, _scope: Scope<'_>, name: &str) -> Outcome<()> {
        create::start(self, name).await
    }

    async fn stop(&self, name: &str, grace: Duration) -> Outcome<()> {
        let docker = self.client.get().await?.with_timeout(grace + MARGIN);
        let seconds = i32::try_from(grace.as_secs()).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        match docker.stop_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(cause) if is_absent(&cause) || is_unchanged(&cause) => Ok(()),
            Err(cause) => Err(failed(&format!("{name} could not be stopped"), &cause)),
        }
    }

    async fn remove(&self, name: &str) -> Outcome<()> {
        let docker = self.client.get().await?;
        // Anonymous volumes too stay: a volume is never deleted.
        let options = RemoveContainerOptionsBuilder::new().force(true).v(false).build();
        match docker.remove_container(name, Some(options)).await {
            Ok(()) => Ok(()),
            Err(cause) if is_absent(&cause) => Ok(()),
            Err(cause) => Err(failed(&format!("{name} could not be removed"), &cause)),
        }
    }

    async fn set_restart(&self, name: &str, policy: RestartPolicy) -> Outcome<()> {
        let docker = self.client.get().await?;
        let present = instance::one(self, name).await?.map(|found| found.restart);
        if present.is_none_or(|present| present == policy) || !self.client.changes_restart_policies().await? {
            return Ok(());
        }
        let wanted = EnginePolicy { name: Some(create::policy(policy)), maximum_retry_count: None };
        let body = ContainerUpdateBody { restart_policy: Some(wanted), ..ContainerUpdateBody::default() };
        match docker.update_container(name, body).await {
            Ok(()) => Ok(()),
            Err(cause) => Err(failed(&format!("the restart policy of {name} could not be changed"), &cause)),
        }
    }

    async fn take_name(&self, name: &str, component: &ComponentSpec) -> Outcome<()> {
        network::take_name(self, name, component).await
    }

    async fn probe(&self, instance: &Instance, check: &HealthCheck, timeout: Duration) -> Outcome<Probe> {
        probe::ask(self, instance, check, timeout).await
    }

    async fn log_tail(&self, name: &str, lines: usize) -> Vec<String> {
        tokio::time::timeout(LOG_LIMIT, self.read_log(name, lines)).await.unwrap_or_default()
    }

    async fn follow(&self, name: &str, since: Since, output: &mut Output, end: &CancellationToken) {
        let Ok(docker) = self.client.get().await else { return };
        let tail = match since {
            Since::Start => "all",
            Since::Now => "0",
        };
        let options = LogsOptionsBuilder::new().follow(true).stdout(true).stderr(true).tail(tail).build();
        let docker = docker.with_timeout(FOLLOWED);
        let mut stream = docker.logs(name, Some(options));
        let last_words = async {
            end.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::pin!(last_words);
        loop {
            let piece = tokio::select! {
                piece = stream.next() => piece,
                () = &mut last_words => return,
            };
            let wanted = match piece {
                Some(Ok(LogOutput::StdErr { message })) => output.take(LogSource::Stderr, &message),
                Some(Ok(
                    LogOutput::StdOut { message } | LogOutput::Console { message } | LogOutput::StdIn { message },
                )) => output.take(LogSource::Stdout, &message),
                Some(Err(_)) | None => return,
            };
            if !wanted {
                return;
            }
        }
    }

    async fn prune(&self, drop: &[ImageRecord], keep: &[ImageRecord]) -> Outcome<Vec<ImageRecord>> {
        pull::prune(self, drop, keep).await
    }
}

impl DockerHost {
    async fn read_log(&self, name: &str, lines: usize) -> Vec<String> {
        let Ok(docker) = self.client.get().await else { return Vec::new() };
        let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
        let mut stream = docker.logs(name, Some(options));
        let mut text = Vec::new();
        while let Some(Ok(piece)) = stream.next().await {
            text.extend_from_slice(&piece.into_bytes());
            if text.len() > LOG_BYTES {
                break;
            }
        }
        String::from_utf8_lossy(&text).lines().map(ToOwned::to_owned).collect()
    }
}

/// The labels that say whose a thing is.
fn labels(order: &TaskOrder) -> Vec<(&'static str, String)> {
    let mut labels = vec![
        (label::TARGET, order.target.id.to_string()),
        (label::APPLICATION, order.application.clone()),
        (label::TASK, order.task_id.to_string()),
        (label::EPOCH, order.epoch.to_string()),
    ];
    if let Some(spec) = &order.spec {
        labels.push((label::TENANT, spec.tenant_id.to_string()));
        labels.push((label::ENVIRONMENT, spec.environment_id.to_string()));
        labels.push((label::RELEASE, spec.release_id.to_string()));
    }
    labels
}

fn defect(what: impl Into<String>) -> TaskError {
    TaskError::new(TaskErrorCode::AgentDefect, what)
}
