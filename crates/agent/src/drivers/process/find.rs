//! Finding processes again: by the files of their directories and by (pid, start time).

use std::{collections::BTreeSet, fs};

use plimsoll_core::{Digest, component::runtime::RestartPolicy, id::TargetId};
use plimsoll_protocol::agent::observe::RunState;

use super::{ProcessHost, unusable};
use crate::{
    drivers::{
        Outcome,
        host::{HostHealth, Instance, Ours},
    },
    supervise::{Phase, Spec, State, Workdir},
};

/// Everything of a target.
pub fn all(host: &ProcessHost, target: TargetId) -> Outcome<Vec<Instance>> {
    let mut found = Vec::new();
    for name in names(host) {
        let workdir = host.workdir(&name);
        if let Some(spec) = workdir.spec().map_err(|cause| unusable(&workdir, &cause))?
            && spec.target_id == target
        {
            found.push(instance(&workdir, spec)?);
        }
    }
    Ok(found)
}

/// One by name.
pub fn one(host: &ProcessHost, name: &str) -> Outcome<Option<Instance>> {
    let workdir = host.workdir(name);
    let spec = workdir.spec().map_err(|cause| unusable(&workdir, &cause))?;
    spec.map(|spec| instance(&workdir, spec)).transpose()
}

/// The digests of images that some process was made from.
pub fn images_in_use(host: &ProcessHost) -> Outcome<BTreeSet<Digest>> {
    let specs = names(host).into_iter().map(|name| {
        let workdir = host.workdir(&name);
        workdir.spec().map_err(|cause| unusable(&workdir, &cause))
    });
    specs.filter_map(Result::transpose).map(|spec| spec.map(|spec| spec.made_by_digest)).collect()
}

/// Ports that some process holds or may hold again.
pub fn ports_in_use(host: &ProcessHost, leaving: &[String]) -> BTreeSet<u16> {
    let staying = names(host).into_iter().filter(|name| !leaving.contains(name));
    staying.filter_map(|name| host.workdir(&name).spec().ok()?).flat_map(|spec| spec.ports.into_values()).collect()
}

/// What should run and has nobody who sees to it.
pub fn orphans(host: &ProcessHost) -> Vec<Spec> {
    let should_run = |workdir: &Workdir| {
        let restart = workdir.control().ok()?.restart;
        let state = workdir.state().ok()??;
        let wanted = match (&state.phase, restart) {
            (_, RestartPolicy::No) | (Phase::Ended { .. }, _) => false,
            (
                Phase::Starting | Phase::Running { .. } | Phase::Waiting { .. },
                RestartPolicy::OnFailure | RestartPolicy::Always | RestartPolicy::UnlessStopped,
            ) => true,
        };
        let lives = state.supervisor.is_alive() || process_lives(&state);
        (wanted && !lives).then_some(())
    };
    names(host)
        .into_iter()
        .filter_map(|name| {
            let workdir = host.workdir(&name);
            should_run(&workdir)?;
            workdir.spec().ok()?
        })
        .collect()
}

/// The last lines of both outputs, oldest first.
pub fn log_tail(workdir: &Workdir, lines: usize) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for path in [workdir.stdout(), workdir.stderr()] {
        all.extend(tail(&path).lines().map(ToOwned::to_owned));
    }
    all.split_off(all.len().saturating_sub(lines))
}

/// Whether the process itself runs, whoever supervises it.
pub fn process_lives(state: &State) -> bool {
    matches!(&state.phase, Phase::Running { process, .. } if process.is_alive())
}

fn tail(path: &std::path::Path) -> String {
    use std::io::{Read, Seek, SeekFrom};

    const BYTES: i64 = 64 * 1024;
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs::File::open(path)?;
        if file.metadata()?.len() > BYTES.unsigned_abs() {
            file.seek(SeekFrom::End(-BYTES))?;
        }
        let mut content = Vec::new();
        file.take(BYTES.unsigned_abs()).read_to_end(&mut content)?;
        Ok(content)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

fn names(host: &ProcessHost) -> Vec<String> {
    let entries = fs::read_dir(host.processes()).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_unstable();
    names
}

fn instance(workdir: &Workdir, spec: Spec) -> Outcome<Instance> {
    let state = workdir.state().map_err(|cause| unusable(workdir, &cause))?;
    let restart = workdir.control().map_err(|cause| unusable(workdir, &cause))?.restart;
    let (run_state, started_at, exit_code) = match state.as_ref().map(|state| (state, &state.phase)) {
        None => (RunState::Created, None, None),
        Some((_, Phase::Running { process, since })) if process.is_alive() => (RunState::Running, Some(*since), None),
        Some((state, Phase::Running { .. } | Phase::Starting)) if state.supervisor.is_alive() => {
            (RunState::Restarting, None, None)
        }
        Some((state, Phase::Waiting { exit_code })) if state.supervisor.is_alive() => {
            (RunState::Restarting, None, Some(*exit_code))
        }
        Some((_, Phase::Ended { exit_code, .. })) => (RunState::Exited, None, *exit_code),
        Some((_, Phase::Running { .. } | Phase::Starting | Phase::Waiting { .. })) => (RunState::Exited, None, None),
    };
    Ok(Instance {
        name: spec.name,
        ours: Some(Ours {
            application: spec.application,
            component: spec.component,
            instance: spec.instance,
            release_id: spec.release_id,
            task_id: Some(spec.task_id),
            epoch: spec.epoch,
            spec_hash: Some(spec.spec_hash),
        }),
        state: run_state,
        was_started: state.is_some(),
        started_at,
        exit_code,
        oom_killed: false,
        restarts: state.map_or(0, |state| state.restarts),
        restart,
        image_id: Some(spec.image_id),
        made_by_digest: Some(spec.made_by_digest),
        endpoints: spec.endpoints,
        host_health: HostHealth::None,
    })
}
