//! Whether a process host can do what an order asks; nothing is changed.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use plimsoll_core::{
    component::runtime::{HealthCheck, Protocol, Publish, SecretForm},
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use super::{ProcessHost, elf, find, image::UnpackedImage};
use crate::drivers::{Outcome, host::Wanted};

/// The whole check.
pub fn all(host: &ProcessHost, wanted: Wanted<'_>) -> Outcome<()> {
    if !wanted.order.hints.allow_process_host {
        return Err(TaskError::new(
            TaskErrorCode::DriverUnavailable,
            "process_host does not isolate what it runs, and the server's settings don't allow it",
        )
        .hint("allow it in the server's settings, or use docker_host"));
    }
    if host.user().is_some_and(|(user, group)| user == 0 || group == 0) {
        return Err(TaskError::new(TaskErrorCode::OrderInvalid, "processes never run as root")
            .hint("give the target another `uid` and `gid`"));
    }
    reachable(host)?;
    for component in wanted.components() {
        supported(component)?;
        ports(host, component, wanted.leaving)?;
    }
    Ok(())
}

/// The program of an image and all its arguments: an executable below the root that needs no libraries.
pub fn entrypoint(image: &UnpackedImage, component: &ComponentSpec) -> Outcome<(PathBuf, Vec<String>)> {
    let command = component.runtime.command.as_ref().unwrap_or(&image.command);
    let words: Vec<String> = image.entrypoint.iter().chain(command).cloned().collect();
    let refuse = |code: TaskErrorCode, message: String| TaskError::new(code, message).component(&component.name);
    let Some(first) = words.first() else {
        return Err(refuse(TaskErrorCode::ImageRefused, "the image has no entrypoint, and no command is given".into()));
    };
    let Some(program) = locate(image, first) else {
        return Err(refuse(TaskErrorCode::ImageRefused, format!("the image has no executable {first:?}")));
    };
    let shown = || format!("{first:?} of the image");
    match elf::kind(&program) {
        Ok(elf::Program::Static) => Ok((program, words)),
        Ok(elf::Program::Dynamic) => Err(refuse(
            TaskErrorCode::EntrypointNotStatic,
            format!("{} needs shared libraries, which process_host does not take from images", shown()),
        )
        .hint("link it statically, or use docker_host")),
        Ok(elf::Program::NotElf) => Err(refuse(
            TaskErrorCode::EntrypointNotStatic,
            format!("{} is no executable but a script or data; its interpreter would be the host's", shown()),
        )
        .hint("use a static executable as entrypoint, or docker_host")),
        Ok(elf::Program::Foreign) => {
            Err(refuse(TaskErrorCode::ImageMismatch, format!("{} is built for another processor", shown())))
        }
        Err(cause) => Err(refuse(TaskErrorCode::ImageRefused, format!("{} can't be read: {cause}", shown()))),
    }
}

/// An executable by path or by the image's PATH, links followed, never outside of the root.
fn locate(image: &UnpackedImage, word: &str) -> Option<PathBuf> {
    const USUAL: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin";
    let path = image.environment.iter().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or(USUAL);
    let places: Vec<PathBuf> = if word.starts_with('/') {
        vec![image.root.join(word.trim_start_matches('/'))]
    } else if word.contains('/') {
        vec![image.root.join(image.working_directory.trim_start_matches('/')).join(word)]
    } else {
        path.split(':').map(|place| image.root.join(place.trim_start_matches('/')).join(word)).collect()
    };
    let root = image.root.canonicalize().ok()?;
    places.into_iter().filter_map(|place| place.canonicalize().ok()).find(|place| {
        let executable = place.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0);
        place.starts_with(&root) && executable
    })
}

fn supported(component: &ComponentSpec) -> Outcome<()> {
    let runtime = &component.runtime;
    let refuse = |what: &str| {
        let message = format!("process_host can't give {what}");
        Err(TaskError::new(TaskErrorCode::OrderInvalid, message)
            .component(&component.name)
            .hint("use docker_host for it"))
    };
    if !runtime.volumes.is_empty() {
        return refuse("volumes: there is nothing to mount them in");
    }
    if !runtime.networks.is_empty() {
        return refuse("networks of its own");
    }
    if runtime.secrets.iter().any(|secret| secret.form == SecretForm::File) {
        return refuse("secrets as files, which would lie on the host's disk");
    }
    if runtime.user.is_some() {
        return refuse("another user than the target's");
    }
    if runtime.ports.iter().any(|port| port.protocol == Protocol::Udp) {
        return refuse("UDP ports");
    }
    if runtime.health.as_ref().is_some_and(|health| matches!(health.check, HealthCheck::Docker)) {
        return refuse("an image's HEALTHCHECK: no engine runs it");
    }
    Ok(())
}

fn ports(host: &ProcessHost, component: &ComponentSpec, leaving: &[String]) -> Outcome<()> {
    let ours = find::ports_in_use(host, leaving);
    let theirs = find::ports_in_use(host, &[]);
    for port in &component.runtime.ports {
        let Publish::Fixed(fixed) = port.publish else { continue };
        let address: IpAddr =
            port.bind.as_deref().and_then(|text| text.parse().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into());
        let held_by_leaving = theirs.contains(&fixed) && !ours.contains(&fixed);
        if ours.contains(&fixed) || (!held_by_leaving && TcpListener::bind((address, fixed)).is_err()) {
            return Err(TaskError::new(
                TaskErrorCode::PortConflict,
                format!("somebody else holds the host's port {fixed}"),
            )
            .component(&component.name)
            .hint("free the port, publish another one, or `auto`"));
        }
    }
    Ok(())
}

/// The unprivileged user must be able to reach what it runs.
fn reachable(host: &ProcessHost) -> Outcome<()> {
    if host.user().is_none() {
        return Ok(());
    }
    let closed = host.directory.ancestors().filter(|path| path.exists()).find(|path| !anyone_may_pass(path));
    match closed {
        None => Ok(()),
        Some(path) => Err(TaskError::new(
            TaskErrorCode::OrderInvalid,
            format!(
                "{} is closed to other users, so the unprivileged process could not reach its image",
                path.display()
            ),
        )
        .hint("give the target a `deploymentDirectory` that everyone may pass through, or chmod o+x this one")),
    }
}

fn anyone_may_pass(path: &Path) -> bool {
    path.metadata().is_ok_and(|found| found.permissions().mode() & 0o001 != 0)
}
