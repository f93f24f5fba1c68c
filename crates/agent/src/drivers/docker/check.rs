//! Whether an engine can do what an order asks; nothing is changed.

use std::{collections::HashMap, path::Path};

use bollard::query_parameters::ListContainersOptionsBuilder;

use plimsoll_core::{component::runtime::Publish, deployment::spec::ComponentSpec};
use plimsoll_protocol::agent::{
    order::TaskOrder,
    report::{TaskError, TaskErrorCode},
};

use super::{
    DockerHost,
    client::{failed, is_absent},
};
use crate::{drivers::Outcome, resources};

/// Below this no image is pulled.
const MIN_FREE: u64 = 256 * 1024 * 1024;
/// Room for an image as large as the largest that a component had so far, packed and unpacked.
const ROOM: u64 = 2;

/// The whole check.
pub async fn all(host: &DockerHost, order: &TaskOrder, leaving: &[String]) -> Outcome<()> {
    disk(host, order).await?;
    let held = held_ports(host, leaving).await?;
    for component in order.spec.iter().flat_map(|spec| &spec.components) {
        ports(component, &held)?;
        volumes(host, component).await?;
    }
    Ok(())
}

/// Free disk where the engine keeps its images, as far as that can be seen from here.
async fn disk(host: &DockerHost, order: &TaskOrder) -> Outcome<()> {
    let docker = host.client.get().await?;
    let info = docker.info().await.map_err(|cause| failed("the engine can't be asked for its state", &cause))?;
    let Some(root) = info.docker_root_dir.filter(|root| Path::new(root).exists()) else { return Ok(()) };
    let mut largest = 0;
    for component in order.previous.iter().flat_map(|spec| &spec.components) {
        let known = docker.inspect_image(&component.image.reference()).await.ok();
        largest =
            largest.max(known.and_then(|image| image.size).and_then(|size| u64::try_from(size).ok()).unwrap_or(0));
    }
    let needed = MIN_FREE.max(largest.saturating_mul(ROOM));
    let (_, free) = resources::disk(Path::new(&root));
    if free >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let message = format!("{} MiB are free at {root}, about {} MiB are needed", mib(free), mib(needed));
    Err(TaskError::new(TaskErrorCode::DiskLow, message).hint("make room on the disk, then deploy again"))
}

/// Host ports that running containers hold, with their names.
async fn held_ports(host: &DockerHost, leaving: &[String]) -> Outcome<HashMap<u16, String>> {
    let running = host.client.list(ListContainersOptionsBuilder::new().all(false).build()).await?;
    let mut held = HashMap::new();
    for container in running {
        let names = container.names.unwrap_or_default();
        let name = names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
        if leaving.contains(&name) {
            continue;
        }
        for port in container.ports.unwrap_or_default().into_iter().filter_map(|port| port.public_port) {
            held.insert(port, name.clone());
        }
    }
    Ok(held)
}

fn ports(component: &ComponentSpec, held: &HashMap<u16, String>) -> Outcome<()> {
    for port in &component.runtime.ports {
        if let Publish::Fixed(number) = port.publish
            && let Some(holder) = held.get(&number)
        {
            let message = format!("the container {holder} holds the host's port {number}");
            return Err(TaskError::new(TaskErrorCode::PortConflict, message)
                .component(&component.name)
                .hint("stop that one, publish another port, or `auto`"));
        }
    }
    Ok(())
}

async fn volumes(host: &DockerHost, component: &ComponentSpec) -> Outcome<()> {
    let docker = host.client.get().await?;
    let named = component.runtime.volumes.iter().filter(|volume| volume.external && !volume.source.starts_with('/'));
    for volume in named {
        match docker.inspect_volume(&volume.source).await {
            Ok(_) => {}
            Err(cause) if is_absent(&cause) => {
                let message = format!("the external volume {} is not there", volume.source);
                return Err(TaskError::new(TaskErrorCode::VolumeMissing, message)
                    .component(&component.name)
                    .hint("make it on the host, or declare it without `external`"));
            }
            Err(cause) => return Err(failed(&format!("the volume {} can't be looked at", volume.source), &cause)),
        }
    }
    Ok(())
}
