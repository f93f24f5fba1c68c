//! What the demo's targets are: containers of an engine, or plain processes.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

/// What the person asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Targets {
    /// Containers where an engine can be used, else processes
    #[default]
    Auto,
    /// Containers, or the demo fails and says why
    Docker,
    /// Processes
    Process,
}

/// What the targets are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Processes on this machine, without isolation.
    Processes,
    /// Containers of the engine behind this socket.
    Containers {
        /// An absolute path.
        socket: String,
    },
}

/// Where the ledgers lie in a container.
pub(crate) const LEDGER_MOUNT: &str = "/ledgers";

impl Kind {
    /// The API's `type`.
    pub(crate) const fn target_type(&self) -> &'static str {
        match self {
            Self::Processes => "process_host",
            Self::Containers { .. } => "docker_host",
        }
    }

    /// The API's `connection` of a target whose files lie in `folder`.
    pub(crate) fn connection(&self, folder: &Path) -> Value {
        let mut connection = json!({ "deploymentDirectory": folder });
        match self {
            Self::Processes => {}
            Self::Containers { socket } => connection["socket"] = json!(socket),
        }
        connection
    }
}

/// Sockets of engines where they are usually found, the likeliest first.
pub(crate) fn sockets() -> Vec<PathBuf> {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(host) = text("DOCKER_HOST") {
        return host.strip_prefix("unix://").map(PathBuf::from).into_iter().collect();
    }
    let own = text("XDG_RUNTIME_DIR").map(PathBuf::from);
    let rootless = own.iter().flat_map(|place| [place.join("docker.sock"), place.join("podman/podman.sock")]);
    let usual = ["/var/run/docker.sock", "/run/podman/podman.sock"].map(PathBuf::from);
    usual.into_iter().chain(rootless).filter(|path| path.exists()).collect()
}
