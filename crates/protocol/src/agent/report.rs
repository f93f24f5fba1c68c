//! What an agent reports about a task: ack, progress, log, result; and its lease.

use serde::{Deserialize, Serialize};

use plimsoll_core::{
    Digest, Timestamp,
    deployment::{Remains, spec::Endpoint},
    id::{ComponentId, TaskId},
};

/// The body of `task.ack`: the offer is on disk, or refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskAck {
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// Why the agent will not do it; absent when it will.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<TaskError>,
}

/// The body of `task.progress`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskProgress {
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// Which step.
    pub step: StepKind,
    /// Of which component, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// How far.
    pub status: StepStatus,
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// A sentence for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// The steps of a task, in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Leftovers of killed tasks are removed.
    Clean,
    /// Disk, names, ports, networks and volumes are looked at.
    Check,
    /// Networks of ours are made.
    Prepare,
    /// The image is pulled by digest and verified.
    Pull,
    /// The new container is made before the old one is stopped (`recreate`).
    Make,
    /// The old container is stopped first (`recreate`).
    StopOld,
    /// The new container is made, unless it is, and started.
    Start,
    /// It is waited for until healthy.
    Health,
    /// Traffic goes to the new one.
    Switch,
    /// The old one is stopped within its grace; it is kept until all is well.
    Retire,
    /// The restart policy that was asked for is switched on.
    Settle,
    /// All components are watched for a while.
    Watch,
    /// The signed sticker is placed.
    Sticker,
    /// The old containers are removed: from here on there is no way back.
    Discard,
    /// Images of older releases that nothing uses go.
    Prune,
    /// What ran before is put back.
    Undo,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It began.
    Started,
    /// It is done.
    Succeeded,
    /// It failed.
    Failed,
    /// There was nothing to do.
    Skipped,
}

/// The body of `task.log`: at most [`super::MAX_LOG_CHUNK_BYTES`] of text, masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskLog {
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// Rises within (task, epoch), also over a restart of the agent: a chunk sent twice has the same number.
    pub chunk: u64,
    /// The lines.
    pub lines: Vec<LogLine>,
}

/// One line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// Who wrote it.
    pub source: LogSource,
    /// Which component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The text without its line end.
    pub text: String,
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// The agent.
    Agent,
    /// The component's standard output.
    Stdout,
    /// The component's standard error.
    Stderr,
}

/// The body of `task.result`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskResult {
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// When the agent began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// What runs now, component by component, as the engine tells it.
    pub components: Vec<ComponentResult>,
    /// What is left there of a task that did not succeed; absent on success and when it can't be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remains: Option<Remains>,
    /// Whether the order's sticker lies on the host.
    pub sticker_placed: bool,
    /// What went wrong; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// The highest epoch known on the target, where it is above the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch_in_force: Option<u64>,
}

/// How a task ended on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// The spec runs, healthy.
    Succeeded,
    /// Nothing was changed, or what was changed could not be put back; `components` says which.
    Failed,
    /// It failed, and what ran before runs again.
    RolledBack,
    /// It was cancelled, and what ran before runs (again).
    Cancelled,
    /// The agent can't tell.
    Unknown,
}

/// One component after a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentResult {
    /// Which; absent for one that the order's specs don't know (removed long ago).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_id: Option<ComponentId>,
    /// Its name.
    pub component: String,
    /// What ran before, as the engine told it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_digest: Option<Digest>,
    /// What was asked for; absent when the component was to go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_digest: Option<Digest>,
    /// What runs now: the promoted digest when what runs is in its chain, else what the engine says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_digest: Option<Digest>,
    /// Its published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    /// The gap of a `recreate`: from the stop of the old to the new one being healthy, or to the old one answering
    /// again where it was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downtime_ms: Option<u64>,
    /// The last verdict.
    pub health: HealthVerdict,
}

/// A verdict on a component's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthVerdict {
    /// Its check passes.
    Healthy,
    /// Its check fails, or it doesn't run.
    Unhealthy,
    /// No check is declared; it runs without a restart.
    None,
    /// Not looked at, or it can't be told.
    Unknown,
}

/// Why a task failed or was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskError {
    /// A stable word.
    pub code: TaskErrorCode,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Which component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The component's last lines, at most 200, masked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_tail: Vec<String>,
    /// The exit code of a container that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for its memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom_killed: bool,
}

impl TaskError {
    /// An error without further facts.
    pub fn new(code: TaskErrorCode, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code, message, hint: None, component: None, log_tail: Vec::new(), exit_code: None, oom_killed: false }
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which component it is about.
    #[must_use]
    pub fn component(mut self, name: impl Into<String>) -> Self {
        self.component = Some(name.into());
        self
    }
}

impl std::fmt::Display for TaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for TaskError {}

macro_rules! task_error_codes {
    ($($(#[$doc:meta])+ $name:ident = $text:literal,)+) => {
        /// The stable words for what goes wrong on a host.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum TaskErrorCode {
            $($(#[$doc])+ #[serde(rename = $text)] $name,)+
            /// A word of a newer agent.
            #[serde(rename = "OTHER", other)]
            Other,
        }

        impl TaskErrorCode {
            /// As clients see it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ Self::Other => "OTHER" }
            }
        }
    };
}

task_error_codes! {
    /// The order's signature is not by a key of the server.
    SignatureInvalid = "SIGNATURE_INVALID",
    /// The order can't be read, or is meant for another agent.
    OrderInvalid = "ORDER_INVALID",
    /// This agent has no driver for the target's type, or may not use it.
    DriverUnavailable = "DRIVER_UNAVAILABLE",
    /// A higher epoch is in force on the target.
    StaleEpoch = "STALE_EPOCH",
    /// Another agent of the host has been in a step on this target for too long.
    TargetBusy = "TARGET_BUSY",
    /// The lease ran out before the task was done.
    LeaseLost = "LEASE_LOST",
    /// The task was cancelled.
    Cancelled = "CANCELLED",
    /// The task took longer than its deadline.
    DeadlineExceeded = "DEADLINE_EXCEEDED",
    /// The engine doesn't answer or refuses us.
    EngineUnavailable = "ENGINE_UNAVAILABLE",
    /// Too little room for the image.
    DiskLow = "DISK_LOW",
    /// A container that isn't ours has the name.
    NameConflict = "NAME_CONFLICT",
    /// Somebody else holds the host port.
    PortConflict = "PORT_CONFLICT",
    /// An external volume or a host path is absent.
    VolumeMissing = "VOLUME_MISSING",
    /// The container that is to be taken over is absent.
    AdoptMissing = "ADOPT_MISSING",
    /// `start_first` can't be done with a fixed host port.
    StartFirstNeedsFreePort = "START_FIRST_NEEDS_FREE_PORT",
    /// The image could not be fetched.
    PullFailed = "PULL_FAILED",
    /// What was fetched is not the image that was promoted.
    ImageMismatch = "IMAGE_MISMATCH",
    /// The image holds what this driver refuses.
    ImageRefused = "IMAGE_REFUSED",
    /// The entrypoint needs the image's own libraries.
    EntrypointNotStatic = "ENTRYPOINT_NOT_STATIC",
    /// A secret could not be had.
    SecretUnavailable = "SECRET_UNAVAILABLE",
    /// The container could not be made or started.
    StartFailed = "START_FAILED",
    /// It did not become healthy.
    Unhealthy = "UNHEALTHY",
    /// It ended or restarted while it was watched.
    Unstable = "UNSTABLE",
    /// The sticker could not be written.
    StickerFailed = "STICKER_FAILED",
    /// What ran before could not be put back.
    UndoFailed = "UNDO_FAILED",
    /// A defect of the agent.
    AgentDefect = "AGENT_DEFECT",
}

/// The body of `lease.renew`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRenew {
    /// Rises with every request of this agent's process.
    pub nonce: u64,
    /// The tasks in hand.
    pub tasks: Vec<HeldTask>,
}

/// A task that an agent holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldTask {
    /// Which.
    pub task_id: TaskId,
    /// By which offer.
    pub epoch: u64,
}

/// The body of `result.ack`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResultAck {
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// What became of the result.
    pub verdict: ResultVerdict,
}

/// What the server did with a result. Either way the agent need not send it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultVerdict {
    /// It is stored.
    Recorded,
    /// Its epoch is old; the target will be settled by observation.
    Stale,
}
