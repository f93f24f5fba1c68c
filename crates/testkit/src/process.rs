//! Processes that a test starts, kills and asks for their log.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal};

use crate::{PATIENCE, eventually, reaper::Job};

/// A running process with its output in a file. Dropped, it is stopped, and its last lines are printed: the test runner shows them when the test fails.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
    log: PathBuf,
    stop: Signal,
    job: Option<Job>,
}

impl Process {
    /// Starts `command` with its output appended to `<folder>/<name>.log`.
    pub fn spawn(command: &mut Command, name: &str, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = command
            .stdin(Stdio::null())
            .stderr(out.try_clone()?)
            .stdout(out)
            .spawn()
            .with_context(|| format!("cannot start {name}: {}", command.get_program().display()))?;
        let job = Job::kill(child.id())?;
        Ok(Self { child, name: name.to_owned(), log, stop: Signal::KILL, job: Some(job) })
    }

    /// The signal with which it is stopped when dropped, before it is killed. Without this it is killed at once.
    #[must_use]
    pub fn stopped_by(mut self, signal: Signal) -> Self {
        self.stop = signal;
        self
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far; with that of earlier processes of the same name and folder.
    pub fn log(&self) -> Result<String> {
        let bytes = std::fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Where its output goes.
    #[must_use]
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.job = None;
        }
        Ok(status)
    }

    /// Sends it a signal, such as `Signal::STOP` and `Signal::CONT`. One that ended gets none.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_none() {
            let pid = Pid::from_raw(self.child.id().try_into()?).context("a process id is not zero")?;
            rustix::process::kill_process(pid, signal)?;
        }
        Ok(())
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.signal(Signal::KILL)?;
        self.wait(PATIENCE)
    }

    /// Asks it to end (SIGTERM), and waits until it did.
    pub fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait(deadline)
    }

    /// Waits until it ended.
    pub fn wait(&mut self, deadline: Duration) -> Result<ExitStatus> {
        let what = format!("{} ended", self.name);
        eventually(&what, deadline, || self.ended().transpose())?
    }

    /// Waits until it is ready, and fails at once with the end of its log when it ended before.
    pub fn ready(&mut self, mut question: impl FnMut() -> bool) -> Result<()> {
        let what = format!("{} is ready", self.name);
        let ended = eventually(&what, PATIENCE, || match self.ended() {
            Ok(None) => question().then_some(Ok(None)),
            other => Some(other),
        })
        .with_context(|| self.last_lines())??;
        ended.map_or(Ok(()), |status| {
            Err(anyhow::anyhow!("{} ended with {status} instead of starting:\n{}", self.name, self.last_lines()))
        })
    }

    fn last_lines(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Process {
    #[expect(clippy::print_stderr, reason = "the test runner keeps it, and shows it when the test fails")]
    fn drop(&mut self) {
        let stopped = match self.stop {
            Signal::KILL => self.kill(),
            signal => self.signal(signal).and_then(|()| self.wait(Duration::from_secs(20))).or_else(|_| self.kill()),
        };
        if let Err(error) = stopped {
            eprintln!("{} was not stopped: {error:#}", self.name);
        }
        eprintln!("--- the last lines of {} ---\n{}", self.name, self.last_lines());
    }
}
