//! Health checks of containers, made by the agent.

use std::{net::SocketAddr, time::Duration};

use bollard::{
    exec::{StartExecOptions, StartExecResults},
    models::{ContainerInspectResponse, ExecConfig},
};
use futures_util::StreamExt;
use tokio::{net::lookup_host, time::timeout};

use plimsoll_core::component::runtime::HealthCheck;

use super::{DockerHost, client::failed, instance};
use crate::drivers::{
    Outcome,
    host::{Instance, Probe},
};

/// What of a command's output goes into a reason.
const SHOWN: usize = 300;

/// Asks once.
pub async fn ask(host: &DockerHost, instance: &Instance, check: &HealthCheck, limit: Duration) -> Outcome<Probe> {
    match check {
        HealthCheck::Http { port, path } => {
            let places = places(host, instance, *port).await?;
            Ok(first_good(host, &places, *port, Some(path), limit).await)
        }
        HealthCheck::Tcp { port } => {
            let places = places(host, instance, *port).await?;
            Ok(first_good(host, &places, *port, None, limit).await)
        }
        HealthCheck::Command { command } => self::command(host, &instance.name, command, limit).await,
        HealthCheck::Docker => Ok(Probe::NotYet("the engine is asked for this".into())),
    }
}

/// Asks the places in turn, by HTTP where there is a path: an agent on the host reaches the container itself,
/// one elsewhere its published port.
async fn first_good(host: &DockerHost, places: &[SocketAddr], port: u16, path: Option<&str>, limit: Duration) -> Probe {
    let mut last = Probe::Bad(format!("port {port} is neither published nor on an address of the container"));
    for at in places {
        last = match path {
            Some(path) => host.prober.http(*at, path, limit).await,
            None => host.prober.tcp(*at, limit).await,
        };
        if last == Probe::Good {
            break;
        }
    }
    last
}

/// Where a container's port may be reached from here.
async fn places(host: &DockerHost, instance: &Instance, port: u16) -> Outcome<Vec<SocketAddr>> {
    let Some(found) = host.client.inspect(&instance.name).await? else { return Ok(Vec::new()) };
    let published = match instance::published(&found, port) {
        Some((bound, number)) => resolve(&host.address(Some(&bound)), number).await,
        None => Vec::new(),
    };
    // With an address of its own the host is another one than ours: containers' addresses would be ours.
    if host.connection.advertise_address.is_some() && !published.is_empty() {
        return Ok(published);
    }
    let mut all = inside(&found, port);
    all.extend(published);
    Ok(all)
}

fn inside(found: &ContainerInspectResponse, port: u16) -> Vec<SocketAddr> {
    let mode = found.host_config.as_ref().and_then(|config| config.network_mode.as_deref());
    if mode == Some("host") {
        return vec![SocketAddr::from(([127, 0, 0, 1], port))];
    }
    let addresses = instance::addresses(found);
    addresses.iter().filter_map(|address| Some(SocketAddr::new(address.parse().ok()?, port))).collect()
}

async fn resolve(address: &str, port: u16) -> Vec<SocketAddr> {
    lookup_host((address, port)).await.map(|found| found.take(1).collect()).unwrap_or_default()
}

/// Runs a command in the container; code 0 is good.
async fn command(host: &DockerHost, name: &str, words: &[String], limit: Duration) -> Outcome<Probe> {
    let docker = host.client.get().await?;
    let config = ExecConfig {
        cmd: Some(words.to_vec()),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        ..ExecConfig::default()
    };
    let trouble =
        |cause: &bollard::errors::Error| failed(&format!("the health command of {name} could not be run"), cause);
    let made = docker.create_exec(name, config).await.map_err(|cause| trouble(&cause))?;
    let run = async {
        let mut shown = String::new();
        let started = docker.start_exec(&made.id, None::<StartExecOptions>).await.map_err(|cause| trouble(&cause))?;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(piece) = output.next().await {
                let piece = piece.map_err(|cause| trouble(&cause))?.to_string();
                shown.extend(piece.chars().take(SHOWN.saturating_sub(shown.len())));
            }
        }
        let ended = docker.inspect_exec(&made.id).await.map_err(|cause| trouble(&cause))?;
        Ok(match ended.exit_code {
            Some(0) => Probe::Good,
            code => Probe::Bad(format!("the health command ended with {}: {}", code.unwrap_or(-1), shown.trim())),
        })
    };
    match timeout(limit, run).await {
        Ok(probe) => probe,
        Err(_) => Ok(Probe::Bad(format!("the health command took longer than {} s", limit.as_secs()))),
    }
}
