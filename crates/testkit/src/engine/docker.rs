//! How Docker's engine is started.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::socket;
use crate::{network::TestHost, program::find};

/// The engine on `host`, with its files in `folder`.
pub fn command(host: &TestHost, folder: &Path) -> Result<Command> {
    let (pid_file, state) = (folder.join("docker.pid"), folder.join("exec"));
    // A killed engine leaves them behind, and believes them when it starts again.
    for stale in [&pid_file, &state.join("containerd/containerd.pid")] {
        if stale.exists() {
            std::fs::remove_file(stale)?;
        }
    }
    let mut command = host.command(find("dockerd")?)?;
    command
        .arg(format!("--host=unix://{}", socket(folder).display()))
        .arg(format!("--data-root={}", folder.join("data").display()))
        .arg(format!("--exec-root={}", state.display()))
        .arg(format!("--pidfile={}", pid_file.display()))
        .arg(format!("--storage-driver={}", storage_driver(folder)?))
        .args(["--insecure-registry=10.213.0.0/16", "--log-level=warn"]);
    Ok(command)
}

/// overlay2 does not work on top of another overlay, as it is found in containers.
fn storage_driver(folder: &Path) -> Result<&'static str> {
    const OVERLAY: u64 = 0x794c_7630;
    let kind = rustix::fs::statfs(folder)?.f_type;
    Ok(if kind as u64 == OVERLAY { "vfs" } else { "overlay2" })
}
