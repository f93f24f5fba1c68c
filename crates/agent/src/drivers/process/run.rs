//! Starting, stopping and removing a process through its supervisor.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::OpenOptionsExt,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{io::AsyncWriteExt, process::Command, task::JoinHandle, time::Instant};

use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use super::{
    ProcessHost, find,
    launch::{SecretVariables, exposed},
    unusable,
};
use crate::{
    drivers::{Outcome, host::Probe},
    supervise::{Control, Phase, ProcessId, State, StdinSecrets, Workdir},
};

/// A supervisor says within this what became of its process.
const START_LIMIT: Duration = Duration::from_secs(20);
/// Beyond the grace, for the kill to take effect.
const STOP_LIMIT: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// Starts a process that never ran; one that ever did is left as it is.
pub async fn first(host: &ProcessHost, workdir: &Workdir, secrets: SecretVariables) -> Outcome<()> {
    if state(workdir)?.is_some() {
        return Ok(());
    }
    supervise(host, workdir, secrets, Again::No).await
}

/// Starts a process that ran before; one that runs is left alone.
pub async fn again(host: &ProcessHost, workdir: &Workdir, secrets: SecretVariables) -> Outcome<()> {
    if state(workdir)?.is_some_and(|state| state.supervisor.is_alive() || find::process_lives(&state)) {
        return Ok(());
    }
    supervise(host, workdir, secrets, Again::Yes).await
}

/// Stops a process within its grace; one that doesn't run is fine.
pub async fn stop(workdir: &Workdir, grace: Duration) -> Outcome<()> {
    let Some(state) = state(workdir)? else { return Ok(()) };
    let control = workdir.control().map_err(|cause| unusable(workdir, &cause))?;
    let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
    workdir.write_control(Control { grace_ms, ..control }).map_err(|cause| unusable(workdir, &cause))?;
    if state.supervisor.is_alive() {
        signal(&state.supervisor, Signal::TERM);
        return gone(&state.supervisor, grace + STOP_LIMIT).await;
    }
    // Its supervisor was killed: the process itself is told.
    if let Phase::Running { process, .. } = &state.phase
        && process.is_alive()
    {
        signal(process, Signal::TERM);
        if gone(process, grace).await.is_err() {
            signal(process, Signal::KILL);
            gone(process, STOP_LIMIT).await?;
        }
    }
    let phase = Phase::Ended { exit_code: None, stopped: true, problem: None };
    let ended = matches!(state.phase, Phase::Ended { .. });
    if !ended {
        workdir.write_state(&State { phase, ..state }).map_err(|cause| unusable(workdir, &cause))?;
    }
    Ok(())
}

/// Stops it at once and removes its directory.
pub async fn remove(workdir: &Workdir) -> Outcome<()> {
    stop(workdir, Duration::ZERO).await?;
    match std::fs::remove_dir_all(&workdir.0) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(unusable(workdir, &cause)),
    }
}

/// A health check by a command, with the process's variables (secrets aside) and as its user.
pub async fn command(host: &ProcessHost, name: &str, words: &[String], limit: Duration) -> Outcome<Probe> {
    let workdir = host.workdir(name);
    let Some(spec) = workdir.spec().map_err(|cause| unusable(&workdir, &cause))? else {
        return Ok(Probe::Bad("the process is gone".into()));
    };
    let Some((first, rest)) = words.split_first() else { return Ok(Probe::Bad("the command is empty".into())) };
    let program = if first.starts_with('/') {
        host.images.root(&spec.image_id).join(first.trim_start_matches('/'))
    } else {
        spec.directory.join(first)
    };
    let mut command = Command::new(program);
    command.args(rest).env_clear().envs(&spec.environment).current_dir(&spec.directory).kill_on_drop(true);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some((user, group)) = spec.user {
        command.gid(group).uid(user);
    }
    Ok(match tokio::time::timeout(limit, command.status()).await {
        Ok(Ok(status)) if status.success() => Probe::Good,
        Ok(Ok(status)) => Probe::Bad(format!("the command ended with {status}")),
        Ok(Err(cause)) => Probe::Bad(format!("the command could not be run: {cause}")),
        Err(_) => Probe::Bad(format!("the command took longer than {} s", limit.as_secs())),
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Yes,
    No,
}

async fn supervise(host: &ProcessHost, workdir: &Workdir, secrets: SecretVariables, again: Again) -> Outcome<()> {
    let failed = |message: String| TaskError::new(TaskErrorCode::StartFailed, message);
    let log = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(workdir.supervisor_log())
        .map_err(|cause| unusable(workdir, &cause))?;
    let Some((program, words)) = host.settings.supervisor.split_first() else {
        return Err(failed("the agent knows no program for supervisors".into()));
    };
    let mut command = Command::new(program);
    command
        .args(words)
        .args(["supervise", "--directory"])
        .arg(&workdir.0)
        .current_dir("/")
        .env_remove("PLIMSOLL_FAILPOINT")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(false);
    let mut child = command.spawn().map_err(|cause| failed(format!("{program} could not be started: {cause}")))?;
    let given = StdinSecrets { environment: exposed(&secrets), again: again == Again::Yes };
    let text = serde_json::to_vec(&given).map_err(|cause| failed(cause.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A supervisor that ended early says why in its log.
        _ = stdin.write_all(&text).await;
    }
    let pid = child.id().map(u32::cast_signed);
    // Waited for, so that it doesn't stay as a zombie while this agent lives.
    let mut ended = Some(tokio::spawn(async move { child.wait().await }));
    let give_up = Instant::now() + START_LIMIT;
    loop {
        if let Some(state) = state(workdir)? {
            let own = pid == Some(state.supervisor.pid) || again == Again::No;
            match &state.phase {
                Phase::Running { .. } | Phase::Waiting { .. } if own => return Ok(()),
                Phase::Ended { problem: Some(problem), .. } if own => return Err(failed(problem.clone())),
                Phase::Ended { .. } if own => return Ok(()),
                Phase::Starting | Phase::Running { .. } | Phase::Waiting { .. } | Phase::Ended { .. } => {}
            }
        }
        if Instant::now() >= give_up {
            return Err(failed(format!("the supervisor did not start it within {} s", START_LIMIT.as_secs())));
        }
        // One that ends well found another at work, of an agent that was killed right after it started it.
        if let Some(status) = failed_early(&mut ended).await {
            let said = std::fs::read_to_string(workdir.supervisor_log()).unwrap_or_default();
            let said = said.lines().last().unwrap_or("nothing").to_owned();
            return Err(failed(format!("the supervisor ended ({status}) and said: {said}")));
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn failed_early(ended: &mut Option<JoinHandle<io::Result<ExitStatus>>>) -> Option<ExitStatus> {
    let waiting = ended.take_if(|waiting| waiting.is_finished())?;
    waiting.await.ok()?.ok().filter(|status| !status.success())
}

async fn gone(process: &ProcessId, limit: Duration) -> Outcome<()> {
    let give_up = Instant::now() + limit;
    while process.is_alive() {
        if Instant::now() >= give_up {
            let message = format!("process {} did not end within {} s", process.pid, limit.as_secs());
            return Err(TaskError::new(TaskErrorCode::EngineUnavailable, message));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(())
}

fn signal(process: &ProcessId, signal: Signal) {
    if let Some(pid) = Pid::from_raw(process.pid)
        && let Err(cause) = kill_process(pid, signal)
    {
        tracing::warn!(%cause, pid = process.pid, "a process could not be signalled");
    }
}

fn state(workdir: &Workdir) -> Outcome<Option<State>> {
    workdir.state().map_err(|cause| unusable(workdir, &cause))
}
