//! Starting the process: clean environment, its own process group, an unprivileged user.

use std::{
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    process::{Command, ExitStatus, Stdio},
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

use super::{Spec, StdinSecrets, Workdir, output};

/// Starts it.
pub fn start(workdir: &Workdir, spec: &Spec, secrets: &StdinSecrets) -> io::Result<Child> {
    let mut command = Command::new(&spec.program);
    if let Some((name, rest)) = spec.arguments.split_first() {
        command.arg0(name).args(rest);
    }
    command
        .env_clear()
        .envs(&spec.environment)
        .envs(&secrets.environment)
        .current_dir(&spec.directory)
        .stdin(Stdio::null())
        .stdout(output::open(&workdir.stdout())?)
        .stderr(output::open(&workdir.stderr())?)
        .process_group(0);
    if let Some((user, group)) = spec.user {
        // As root this drops the supplementary groups too.
        command.gid(group).uid(user);
    }
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(false).spawn()
}

/// Signals the process and all that it started in its group.
pub fn signal_group(pid: i32, signal: Signal) {
    if let Some(group) = Pid::from_raw(pid)
        && let Err(cause) = kill_process_group(group, signal)
        && cause != rustix::io::Errno::SRCH
    {
        tracing::warn!(%cause, pid, "the process group could not be signalled");
    }
}

/// The exit code, or 128 and the signal as shells have it.
pub fn code(status: ExitStatus) -> i64 {
    let signalled = status.signal().map(|signal| 128 + i64::from(signal));
    status.code().map(i64::from).or(signalled).unwrap_or(-1)
}
