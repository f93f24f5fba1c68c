//! The files between agent and supervisor, one directory a process.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use plimsoll_core::{
    Digest, Timestamp,
    component::runtime::RestartPolicy,
    deployment::spec::Endpoint,
    id::{ReleaseId, TargetId, TaskId},
};

use super::ProcessId;
use crate::fs::{self as files, Access};

/// What is run, and whose it is. Written once by the agent; holds no secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// On which target.
    pub target_id: TargetId,
    /// Of which application.
    pub application: String,
    /// Which component.
    pub component: String,
    /// Which of its instances.
    pub instance: u16,
    /// Of which release.
    pub release_id: Option<ReleaseId>,
    /// By which task.
    pub task_id: TaskId,
    /// At which epoch.
    pub epoch: u64,
    /// By which spec.
    pub spec_hash: Digest,
    /// The image's configuration digest.
    pub image_id: Digest,
    /// The digest by which it was pulled.
    pub made_by_digest: Digest,
    /// The executable on the host.
    pub program: PathBuf,
    /// Its arguments, its own name first.
    pub arguments: Vec<String>,
    /// Where it starts.
    pub directory: PathBuf,
    /// Its variables, secrets aside.
    pub environment: BTreeMap<String, String>,
    /// Variables that come as [`StdinSecrets`]: name of the secret by variable.
    pub secrets: BTreeMap<String, String>,
    /// Who it runs as; absent when the agent itself is nobody special.
    pub user: Option<(u32, u32)>,
    /// The host's port by the component's.
    pub ports: BTreeMap<u16, u16>,
    /// What of that is published.
    pub endpoints: Vec<Endpoint>,
    /// When it was made.
    pub made_at: Timestamp,
}

/// What the supervisor gets on its standard input; kept in its memory alone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StdinSecrets {
    /// Secret variables.
    pub environment: BTreeMap<String, String>,
    /// Whether a process that was started before is to be started again.
    pub again: bool,
}

/// What the agent wants; read by the supervisor when the process ends and when it is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// What to do when the process ends.
    pub restart: RestartPolicy,
    /// How long after the stop signal it is killed.
    pub grace_ms: u64,
}

impl Default for Control {
    fn default() -> Self {
        Self { restart: RestartPolicy::No, grace_ms: 10_000 }
    }
}

/// What the supervisor says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Who supervises.
    pub supervisor: ProcessId,
    /// Where the process is.
    pub phase: Phase,
    /// Restarts so far.
    pub restarts: u32,
}

/// Where a process is in its life.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "phase")]
pub enum Phase {
    /// It is about to be started; from here on it counts as started.
    Starting,
    /// It runs.
    Running {
        /// Who it is.
        process: ProcessId,
        /// Since when.
        since: Timestamp,
    },
    /// It ended and will be started again.
    Waiting {
        /// Its exit code, or 128 and the signal.
        exit_code: i64,
    },
    /// It ended, or was stopped.
    Ended {
        /// Its exit code, or 128 and the signal; absent when it never came to run.
        exit_code: Option<i64>,
        /// Whether somebody stopped it.
        stopped: bool,
        /// Why it never came to run.
        problem: Option<String>,
    },
}

/// The directory of one process.
#[derive(Clone, Debug)]
pub struct Workdir(pub PathBuf);

const MAX_BYTES: u64 = 4 * 1024 * 1024;

impl Workdir {
    /// Held by the supervisor while it lives.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.0.join("supervisor.lock")
    }

    /// The supervisor's own words.
    #[must_use]
    pub fn supervisor_log(&self) -> PathBuf {
        self.0.join("supervisor.log")
    }

    /// The process's standard output.
    #[must_use]
    pub fn stdout(&self) -> PathBuf {
        self.0.join("stdout.log")
    }

    /// The process's standard error.
    #[must_use]
    pub fn stderr(&self) -> PathBuf {
        self.0.join("stderr.log")
    }

    /// What is run; `None` when the directory is not a process's.
    pub fn spec(&self) -> io::Result<Option<Spec>> {
        read(&self.0.join("spec.json"))
    }

    /// Writes what is to be run.
    pub fn write_spec(&self, spec: &Spec) -> io::Result<()> {
        write(&self.0.join("spec.json"), spec)
    }

    /// What the supervisor says; `None` when it never started the process.
    pub fn state(&self) -> io::Result<Option<State>> {
        read(&self.0.join("state.json"))
    }

    /// Writes the state.
    pub fn write_state(&self, state: &State) -> io::Result<()> {
        write(&self.0.join("state.json"), state)
    }

    /// What the agent wants.
    pub fn control(&self) -> io::Result<Control> {
        Ok(read(&self.0.join("control.json"))?.unwrap_or_default())
    }

    /// Writes what the agent wants.
    pub fn write_control(&self, control: Control) -> io::Result<()> {
        write(&self.0.join("control.json"), &control)
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    let Some(content) = files::read(path, MAX_BYTES)? else { return Ok(None) };
    serde_json::from_slice(&content)
        .map(Some)
        .map_err(|cause| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {cause}", path.display())))
}

fn write<T: Serialize>(path: &Path, value: &T) -> io::Result<()> {
    files::replace(path, &serde_json::to_vec_pretty(value)?, Access::Private)
}
