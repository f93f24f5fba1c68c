//! What this host is called and what it can do.

use std::path::Path;

use plimsoll_core::inventory::Capability;

/// The host's name.
#[must_use]
pub fn name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// The processor, as OCI platforms name it.
#[must_use]
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What an agent here can drive. Targets may name other sockets.
pub fn capabilities() -> Vec<Capability> {
    let mut all = vec![Capability { name: "process".to_owned(), version: None }];
    for (name, socket) in [("docker", "/var/run/docker.sock"), ("podman", "/run/podman/podman.sock")] {
        if Path::new(socket).exists() {
            all.push(Capability { name: name.to_owned(), version: None });
        }
    }
    all
}
