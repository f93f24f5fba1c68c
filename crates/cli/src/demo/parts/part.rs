//! One process of the demo's own.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};

/// A process; killed when it is dropped before it ended.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    pid: u32,
    child: Child,
    log: PathBuf,
}

/// `plimsoll` with nothing of this machine's settings, at home in `folder`.
pub(crate) fn command(folder: &Path) -> Result<Command> {
    let program = std::env::current_exe().context("the demo cannot find its own program")?;
    let mut command = Command::new(program);
    command.env_clear().env("HOME", folder).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    // Ctrl-C is for the demo, which then ends its parts in order.
    command.process_group(0);
    Ok(command)
}

impl Part {
    /// Starts it, with its standard error in `<folder>/<name>.log`.
    pub(crate) fn spawn(name: &str, command: &mut Command, folder: &Path) -> Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let errors = File::options().create(true).append(true).open(&log);
        command.stderr(errors.with_context(|| format!("{} cannot be written", log.display()))?);
        let child = command.spawn().with_context(|| format!("the {name} cannot be started"))?;
        let pid = child.id().with_context(|| format!("the {name} ended at once"))?;
        Ok(Self { name: name.to_owned(), pid, child, log })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its process, for its standard input and output.
    pub(crate) const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("the {} cannot be looked at", self.name))
    }

    /// What it said last.
    pub(crate) fn last_lines(&self, count: usize) -> String {
        let said = std::fs::read(&self.log).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let lines: Vec<&str> = said.lines().collect();
        let last = lines.get(lines.len().saturating_sub(count)..).unwrap_or_default();
        if last.is_empty() { "(nothing)".to_owned() } else { last.join("\n") }
    }

    /// SIGTERM; one that ended gets none.
    pub(crate) fn tell_to_end(&self) {
        if self.child.id().is_some()
            && let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw)
        {
            // It may have ended by now.
            _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits until it is gone, and kills it after `grace`.
    pub(crate) async fn gone(&mut self, grace: Duration) {
        if tokio::time::timeout(grace, self.child.wait()).await.is_err() {
            // Only one that is gone already cannot be killed.
            drop(self.child.kill().await);
        }
    }
}
