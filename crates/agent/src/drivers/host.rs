//! What the instance driver asks of a host: containers of an engine, or processes of our own.

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_core::{
    Digest, Timestamp,
    component::runtime::{HealthCheck, RestartPolicy, SecretForm},
    deployment::spec::{ComponentSpec, Endpoint},
    id::{ReleaseId, TargetId, TaskId},
    inventory::AgentResources,
};
use plimsoll_protocol::agent::{
    observe::{EngineInfo, RunState},
    order::TaskOrder,
};

use tokio_util::sync::CancellationToken;

use super::{Outcome, Scope};
use crate::task::{following::Output, secrets::Secret, step::Alias};

/// One container or process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name, unique on the host.
    pub name: String,
    /// Whose it is; absent for one that ran before us.
    pub ours: Option<Ours>,
    /// Whether it runs.
    pub state: RunState,
    /// Whether it ever ran.
    pub was_started: bool,
    /// Since when it runs.
    pub started_at: Option<Timestamp>,
    /// How it ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for its memory.
    pub oom_killed: bool,
    /// Restarts by its host.
    pub restarts: u32,
    /// What the host does when it ends.
    pub restart: RestartPolicy,
    /// The image id as the host says.
    pub image_id: Option<Digest>,
    /// The digest by which it was made.
    pub made_by_digest: Option<Digest>,
    /// Published ports.
    pub endpoints: Vec<Endpoint>,
    /// The host's own verdict.
    pub host_health: HostHealth,
}

/// Whose an instance is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ours {
    /// Of which application.
    pub application: String,
    /// Which component.
    pub component: String,
    /// Which of its instances.
    pub instance: u16,
    /// Of which release.
    pub release_id: Option<ReleaseId>,
    /// By which task.
    pub task_id: Option<TaskId>,
    /// At which epoch.
    pub epoch: u64,
    /// By which spec.
    pub spec_hash: Option<Digest>,
}

/// A host's own verdict on health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostHealth {
    /// It has none.
    None,
    /// Not yet.
    Starting,
    /// Good.
    Healthy,
    /// Bad; what its last check said.
    Unhealthy(String),
}

/// An instance to be made.
#[derive(Clone, Debug)]
pub struct NewInstance<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is one of.
    pub component: &'a ComponentSpec,
    /// Which one.
    pub instance: u16,
    /// When it answers to the component's name.
    pub alias: Alias,
    /// Of the component's spec.
    pub spec_hash: Digest,
    /// Its secrets.
    pub secrets: Vec<GivenSecret>,
}

/// A secret for an instance.
#[derive(Clone, Debug)]
pub struct GivenSecret {
    /// How it is given.
    pub form: SecretForm,
    /// The variable or path.
    pub target: String,
    /// The value.
    pub value: Secret,
}

/// An image that we pulled.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRecord {
    /// By which reference.
    pub reference: String,
    /// Its index or manifest digest.
    pub digest: Digest,
}

/// The answer of one health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Healthy.
    Good,
    /// Not yet, which is no failure; the reason.
    NotYet(String),
    /// Failing; the reason.
    Bad(String),
}

/// What a check is to look at.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The order.
    pub order: &'a TaskOrder,
    /// The components that will be brought; the others run so already.
    pub bringing: &'a [String],
    /// Instances that will be stopped before others are started: what they hold will be free.
    pub leaving: &'a [String],
}

impl<'a> Wanted<'a> {
    /// The specs of the components that will be brought.
    pub fn components(self) -> impl Iterator<Item = &'a ComponentSpec> {
        let all = self.order.spec.iter().flat_map(|spec| &spec.components);
        all.filter(move |component| self.bringing.contains(&component.name))
    }
}

/// From where an instance's output is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// All of it.
    Start,
    /// What comes from now on.
    Now,
}

/// A kind of host.
pub trait InstanceHost: Clone + Send + Sync + 'static {
    /// The directory of the target: stickers, fence, records.
    fn directory(&self) -> &Path;

    /// The directories of other targets that share this host's images.
    fn neighbours(&self) -> Vec<PathBuf>;

    /// What runs the instances; `None` when it is us.
    fn engine(&self) -> impl Future<Output = Outcome<Option<EngineInfo>>> + Send;

    /// What is left of the host.
    fn resources(&self) -> impl Future<Output = AgentResources> + Send;

    /// Everything of ours on a target, running or not.
    fn list(&self, target: TargetId) -> impl Future<Output = Outcome<Vec<Instance>>> + Send;

    /// One instance by name, ours or not.
    fn inspect(&self, name: &str) -> impl Future<Output = Outcome<Option<Instance>>> + Send;

    /// Whether all that an order needs is there; changes nothing.
    fn check(&self, wanted: Wanted<'_>) -> impl Future<Output = Outcome<()>> + Send;

    /// Makes what instances share: networks.
    fn prepare(&self, scope: Scope<'_>) -> impl Future<Output = Outcome<()>> + Send;

    /// Pulls an image by digest and verifies it.
    fn pull(&self, scope: Scope<'_>, component: &ComponentSpec) -> impl Future<Output = Outcome<()>> + Send;

    /// Makes an instance unless it is there. It is not started.
    fn make(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> impl Future<Output = Outcome<()>> + Send;

    /// Starts an instance that was made, unless it ever ran.
    fn run(&self, scope: Scope<'_>, new: &NewInstance<'_>) -> impl Future<Output = Outcome<()>> + Send;

    /// Starts a stopped instance; one that runs is left alone.
    fn start(&self, scope: Scope<'_>, name: &str) -> impl Future<Output = Outcome<()>> + Send;

    /// Stops an instance within its grace; one that is stopped or absent is fine.
    fn stop(&self, name: &str, grace: Duration) -> impl Future<Output = Outcome<()>> + Send;

    /// Removes an instance, running or not; an absent one is fine.
    fn remove(&self, name: &str) -> impl Future<Output = Outcome<()>> + Send;

    /// Says what the host does when the instance ends.
    fn set_restart(&self, name: &str, policy: RestartPolicy) -> impl Future<Output = Outcome<()>> + Send;

    /// Gives an instance its component's name on its networks.
    fn take_name(&self, name: &str, component: &ComponentSpec) -> impl Future<Output = Outcome<()>> + Send;

    /// Asks an instance for its health once.
    fn probe(
        &self,
        instance: &Instance,
        check: &HealthCheck,
        timeout: Duration,
    ) -> impl Future<Output = Outcome<Probe>> + Send;

    /// The last lines of an instance's output, oldest first.
    fn log_tail(&self, name: &str, lines: usize) -> impl Future<Output = Vec<String>> + Send;

    /// Gives the output of an instance to `output` as it comes, until it ends, `end` comes, or no more is wanted.
    fn follow(
        &self,
        name: &str,
        since: Since,
        output: &mut Output,
        end: &CancellationToken,
    ) -> impl Future<Output = ()> + Send;

    /// Removes images that are in none of `keep`, if they are ours and nothing uses them; returns those that
    /// are gone.
    fn prune(
        &self,
        drop: &[ImageRecord],
        keep: &[ImageRecord],
    ) -> impl Future<Output = Outcome<Vec<ImageRecord>>> + Send;
}
