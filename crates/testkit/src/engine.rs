//! Container hosts: an engine of its own, Docker's or Podman's, in a network namespace of its own.

mod docker;
mod podman;

use std::{
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Result;
use rustix::process::Signal;

use crate::{
    Process, TestNetwork,
    network::TestHost,
    program::{self, find, quoted},
    reaper::Cleanup,
};

/// Which engine. Both speak Docker's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Docker Engine.
    Docker,
    /// Podman's service. Good for its API: without systemd it runs no HEALTHCHECK.
    Podman,
}

/// A host with a running engine and nothing in it. Dropped, its containers, its files and its network are gone.
#[derive(Debug)]
pub struct ContainerHost {
    // In this order they are dropped: containers, engine, what both left behind, the network.
    _containers: Cleanup,
    process: Process,
    _leftovers: Cleanup,
    host: TestHost,
    folder: PathBuf,
    engine: Engine,
}

impl ContainerHost {
    /// A Docker host in `network`. Any registry at the network's gateway may be used without TLS.
    pub fn docker(network: &TestNetwork) -> Result<Self> {
        Self::start(network, Engine::Docker)
    }

    /// A Podman host in `network`. Any registry at the network's gateway may be used without TLS.
    pub fn podman(network: &TestNetwork) -> Result<Self> {
        Self::start(network, Engine::Podman)
    }

    /// A host with either engine.
    pub fn start(network: &TestNetwork, engine: Engine) -> Result<Self> {
        let mut host = Self::spawn(network, engine)?;
        host.wait_until_ready()?;
        Ok(host)
    }

    /// Several at once, which takes little longer than one.
    pub fn start_several(network: &TestNetwork, engine: Engine, count: usize) -> Result<Vec<Self>> {
        let mut hosts = (0..count).map(|_| Self::spawn(network, engine)).collect::<Result<Vec<_>>>()?;
        for host in &mut hosts {
            host.wait_until_ready()?;
        }
        Ok(hosts)
    }

    /// The engine's socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        socket(&self.folder)
    }

    /// The engine's socket as `DOCKER_HOST` names it.
    #[must_use]
    pub fn engine_url(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// Where published ports answer.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.host.address()
    }

    /// The machine that the engine runs on: to run an agent there, or to pull its cable.
    #[must_use]
    pub fn host(&self) -> &TestHost {
        &self.host
    }

    /// Runs the docker program against this engine and returns what it printed.
    pub fn cli(&self, arguments: &[&str]) -> Result<String> {
        program::output(Command::new(find("docker")?).arg("-H").arg(self.engine_url()).args(arguments))
    }

    /// The engine's process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills the engine, as a crash would.
    pub fn crash(&mut self) -> Result<()> {
        self.process.kill().map(drop)
    }

    /// Starts the engine again on its files.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = launch(&self.host, self.engine, &self.folder)?;
        self.wait_until_ready()
    }

    fn spawn(network: &TestNetwork, engine: Engine) -> Result<Self> {
        let host = network.host()?;
        let folder = tempfile::Builder::new().prefix("plimsoll-engine-").tempdir()?.keep();
        let leftovers = Cleanup::new(remove_leftovers(&host, &folder))?;
        match engine {
            Engine::Docker => {}
            Engine::Podman => podman::configure(&folder, network)?,
        }
        let process = launch(&host, engine, &folder)?;
        let containers = Cleanup::new(remove_containers(&folder))?;
        Ok(Self { _containers: containers, process, _leftovers: leftovers, host, folder, engine })
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let url = self.engine_url();
        self.process.ready(|| program::run("docker", &["-H", &url, "version"]).is_ok())
    }
}

fn socket(folder: &Path) -> PathBuf {
    folder.join("engine.sock")
}

fn launch(host: &TestHost, engine: Engine, folder: &Path) -> Result<Process> {
    let mut command = match engine {
        Engine::Docker => docker::command(host, folder)?,
        Engine::Podman => podman::command(host, folder)?,
    };
    Ok(Process::spawn(&mut command, "engine", folder)?.stopped_by(Signal::TERM))
}

/// Removed one by one, containers end at once; an engine that ends gives each of them ten seconds.
fn remove_containers(folder: &Path) -> String {
    let engine = format!("timeout 30 docker -H unix://{}", quoted(&socket(folder)));
    format!("{engine} ps -aq | xargs -r {engine} rm -f")
}

/// What is left when the engine did not end by itself: processes, mounts, files.
fn remove_leftovers(host: &TestHost, folder: &Path) -> String {
    let namespace = host.namespace();
    let folder = quoted(folder);
    format!(
        "for pid in $(ip netns pids {namespace}); do kill -9 $(cat /proc/$pid/task/*/children) $pid; done; \
         grep -oE ' '{folder}'[^ ]*' /proc/self/mounts | sort -r | xargs -r umount -l; \
         rm -rf {folder}"
    )
}
