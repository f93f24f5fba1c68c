//! The supervisor's life.

use std::{fs::OpenOptions, io::Read, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::{FlockOperation, flock},
    process::Signal,
};
use tokio::{
    process::Child,
    signal::unix::{SignalKind, signal},
    time::{Instant, sleep, timeout},
};

use plimsoll_core::{component::runtime::RestartPolicy, context::Context};

use super::{Phase, ProcessId, Spec, State, StdinSecrets, Workdir, child, output};

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);
/// A process that ran this long begins with the shortest pause again.
const LONG_RUN: Duration = Duration::from_mins(10);
const ROTATION: Duration = Duration::from_secs(5);
const MAX_STDIN: u64 = 1024 * 1024;

struct Supervisor {
    workdir: Workdir,
    spec: Spec,
    secrets: StdinSecrets,
    state: State,
    context: Context,
}

/// How a run of the process came to its end.
enum End {
    ByItself(i64),
    Stopped(i64),
}

/// Supervises the process of `directory` until it has ended for good. Does nothing when another supervisor
/// is at work there, or when the process was started before and is not to be started again.
pub fn supervise(directory: &Path) -> Result<()> {
    let workdir = Workdir(directory.to_owned());
    // A session of its own: signals of the agent's terminal are not for it. Fails harmlessly for a leader.
    _ = rustix::process::setsid();
    let lock = OpenOptions::new().write(true).create(true).truncate(false).open(workdir.lock())?;
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(());
    }
    let spec = workdir.spec()?.context("there is no spec.json: the agent did not finish making this process")?;
    let mut input = String::new();
    std::io::stdin().take(MAX_STDIN).read_to_string(&mut input)?;
    let secrets: StdinSecrets =
        serde_json::from_str(&input).context("the agent ended before it said what the process needs")?;
    if workdir.state()?.is_some() && !secrets.again {
        return Ok(());
    }
    rustix::thread::set_no_new_privs(true).context("no_new_privs could not be set")?;
    let own = ProcessId::of(rustix::process::getpid().as_raw_nonzero().get()).context("/proc can't be read")?;
    let state = State { supervisor: own, phase: Phase::Starting, restarts: 0 };
    let supervisor = Supervisor { workdir, spec, secrets, state, context: Context::system() };
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(supervisor.live())
}

impl Supervisor {
    async fn live(mut self) -> Result<()> {
        let mut stop = signal(SignalKind::terminate())?;
        let mut pause = FIRST_PAUSE;
        loop {
            self.enter(Phase::Starting)?;
            let began = Instant::now();
            let mut process = match child::start(&self.workdir, &self.spec, &self.secrets) {
                Ok(process) => process,
                Err(cause) => {
                    let problem = format!("{} could not be started: {cause}", self.spec.program.display());
                    self.enter(Phase::Ended { exit_code: None, stopped: false, problem: Some(problem) })?;
                    return Ok(());
                }
            };
            let pid = process.id().map(u32::cast_signed).and_then(ProcessId::of);
            if let Some(running) = pid
                && let Err(error) = self.enter(Phase::Running { process: running.clone(), since: self.context.now() })
            {
                child::signal_group(running.pid, Signal::KILL);
                return Err(error);
            }
            match self.follow(&mut process, &mut stop).await? {
                End::Stopped(code) => {
                    return self.enter(Phase::Ended { exit_code: Some(code), stopped: true, problem: None });
                }
                End::ByItself(code) if !self.restarts(code)? => {
                    return self.enter(Phase::Ended { exit_code: Some(code), stopped: false, problem: None });
                }
                End::ByItself(code) => {
                    self.enter(Phase::Waiting { exit_code: code })?;
                    pause = if began.elapsed() > LONG_RUN { FIRST_PAUSE } else { pause };
                    tokio::select! {
                        () = sleep(pause) => {}
                        _ = stop.recv() => {
                            return self.enter(Phase::Ended { exit_code: Some(code), stopped: true, problem: None });
                        }
                    }
                    pause = (pause * 2).min(LONGEST_PAUSE);
                    self.state.restarts += 1;
                }
            }
        }
    }

    /// Waits until the process has ended, or ends it when told to.
    async fn follow(&self, process: &mut Child, stop: &mut tokio::signal::unix::Signal) -> Result<End> {
        loop {
            tokio::select! {
                status = process.wait() => return Ok(End::ByItself(child::code(status?))),
                _ = stop.recv() => return self.stop(process).await,
                () = sleep(ROTATION) => {
                    for path in [self.workdir.stdout(), self.workdir.stderr()] {
                        if let Err(cause) = output::rotate(&path) {
                            tracing::warn!(%cause, path = %path.display(), "the output could not be rotated");
                        }
                    }
                }
            }
        }
    }

    async fn stop(&self, process: &mut Child) -> Result<End> {
        let Some(pid) = process.id().map(u32::cast_signed) else {
            return Ok(End::Stopped(child::code(process.wait().await?)));
        };
        child::signal_group(pid, Signal::TERM);
        let grace = Duration::from_millis(self.workdir.control()?.grace_ms);
        if let Ok(status) = timeout(grace, process.wait()).await {
            let code = child::code(status?);
            child::signal_group(pid, Signal::KILL);
            return Ok(End::Stopped(code));
        }
        child::signal_group(pid, Signal::KILL);
        Ok(End::Stopped(child::code(process.wait().await?)))
    }

    fn restarts(&self, code: i64) -> Result<bool> {
        Ok(match self.workdir.control()?.restart {
            RestartPolicy::No => false,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Always | RestartPolicy::UnlessStopped => true,
        })
    }

    fn enter(&mut self, phase: Phase) -> Result<()> {
        self.state.phase = phase;
        if let Err(cause) = self.workdir.write_state(&self.state) {
            // Without a state file the agent can't find the process: better that it doesn't run.
            bail!("the state can't be written: {cause}");
        }
        Ok(())
    }
}
