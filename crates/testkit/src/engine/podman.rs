//! How Podman's service is started.

use std::{path::Path, process::Command};

use anyhow::Result;
use rustix::process::{Resource, getrlimit};
use serde_json::json;

use super::socket;
use crate::{TestNetwork, network::TestHost, program::find};

/// The service on `host`, with its files in `folder`.
pub fn command(host: &TestHost, folder: &Path) -> Result<Command> {
    let mut command = host.command(find("podman")?)?;
    command
        .env("CONTAINERS_CONF", folder.join("containers.conf"))
        .env("CONTAINERS_STORAGE_CONF", folder.join("storage.conf"))
        .env("CONTAINERS_REGISTRIES_CONF", folder.join("registries.conf"))
        .env("TMPDIR", folder)
        .arg(format!("--tmpdir={}", folder.join("tmp").display()))
        .args(["system", "service", "--time=0"])
        .arg(format!("unix://{}", socket(folder).display()));
    Ok(command)
}

/// Without systemd: cgroups by cgroupfs, events in a file. Limits only as high as this process may raise them.
pub fn configure(folder: &Path, network: &TestNetwork) -> Result<()> {
    let (files, processes) = (bound(Resource::Nofile), bound(Resource::Nproc));
    let networks = folder.join("networks");
    std::fs::create_dir(&networks)?;
    let containers = format!(
        "[containers]\ndefault_ulimits = [\"nofile={files}:{files}\", \"nproc={processes}:{processes}\"]\n\
         [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\nlock_type = \"file\"\n\
         [network]\nnetwork_backend = \"cni\"\nnetwork_config_dir = {}\n",
        json!(networks),
    );
    let storage = format!(
        "[storage]\ndriver = \"overlay\"\ngraphroot = {}\nrunroot = {}\n",
        json!(folder.join("root")),
        json!(folder.join("run")),
    );
    let registries = format!("[[registry]]\nlocation = \"{}\"\ninsecure = true\n", network.gateway());
    std::fs::write(folder.join("containers.conf"), containers)?;
    std::fs::write(folder.join("storage.conf"), storage)?;
    std::fs::write(folder.join("registries.conf"), registries)?;
    Ok(())
}

fn bound(resource: Resource) -> u64 {
    getrlimit(resource).maximum.unwrap_or(u64::MAX).min(20_000)
}
