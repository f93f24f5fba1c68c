//! What agents deployed outlives them, as it should; when the demo ends it has to go.

use std::{
    fs::{File, read_dir},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Result, bail};
use plimsoll_agent::supervise::{Control, Phase, ProcessId, Workdir};
use plimsoll_core::component::runtime::RestartPolicy;
use rustix::{
    fs::{FlockOperation, flock},
    process::{Pid, Signal, kill_process, kill_process_group},
};
use tokio::time::{Instant, sleep};

/// They end at once; a machine under load may take a while to show it.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// Ends every process that a supervisor holds below `hosts`. No agent may run any more, to start others.
pub(crate) async fn end_processes(hosts: &Path) -> Result<()> {
    let all = workdirs(hosts);
    let give_up = Instant::now() + PATIENCE;
    loop {
        let alive: Vec<&PathBuf> = all.iter().filter(|place| lives(place)).collect();
        if alive.is_empty() {
            return Ok(());
        }
        if Instant::now() >= give_up {
            bail!("processes of {} targets do not end: {alive:?}", alive.len());
        }
        sleep(LOOK).await;
    }
}

/// Whether something still runs in a process's directory; it is told to end if so.
fn lives(place: &Path) -> bool {
    let workdir = Workdir(place.to_owned());
    let supervised = is_locked(&workdir.lock());
    let Ok(Some(state)) = workdir.state() else {
        // A supervisor that has said nothing yet will in a moment.
        return supervised;
    };
    let process = match &state.phase {
        Phase::Running { process, .. } => alive(process),
        Phase::Starting | Phase::Waiting { .. } | Phase::Ended { .. } => None,
    };
    match (alive(&state.supervisor), process) {
        // It knows what it started, and ends that first.
        (Some(supervisor), _) => {
            drop(workdir.write_control(Control { restart: RestartPolicy::No, grace_ms: 0 }));
            _ = kill_process(supervisor, Signal::TERM);
        }
        (None, Some(process)) => {
            _ = kill_process_group(process, Signal::KILL);
        }
        (None, None) => {}
    }
    supervised || process.is_some()
}

fn alive(process: &ProcessId) -> Option<Pid> {
    process.is_alive().then(|| Pid::from_raw(process.pid)).flatten()
}

fn is_locked(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
}

/// `<hosts>/<host>/<target id>/processes/<name>`
fn workdirs(hosts: &Path) -> Vec<PathBuf> {
    let below = |place: PathBuf| read_dir(place).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    below(hosts.to_owned()).flat_map(below).flat_map(|target| below(target.join("processes"))).collect()
}
