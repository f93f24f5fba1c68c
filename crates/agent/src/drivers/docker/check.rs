//! Whether an engine can do what an order asks; nothing is changed.

use std::{
    collections::BTreeMap,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    time::Duration,
};

use bollard::{models::PortSummaryTypeEnum, query_parameters::ListContainersOptionsBuilder};
use tokio::{net::TcpStream, time::timeout};

use plimsoll_core::{
    component::runtime::{Port, Protocol, Publish},
    deployment::spec::{ComponentSpec, ImageSource},
};
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use super::{
    DockerHost,
    client::{failed, is_absent},
};
use crate::{
    drivers::{Outcome, host::Wanted},
    resources,
};

/// Below this no image is pulled.
const MIN_FREE: u64 = 256 * 1024 * 1024;
/// What an image takes while it is unpacked, of what its registry packs.
const PACKED: u64 = 3;
/// Room for an image as large as the largest that a component had so far, packed and unpacked.
const ROOM: u64 = 2;
/// A listener on this host accepts within it.
const KNOCK: Duration = Duration::from_secs(1);

/// The whole check.
pub async fn all(host: &DockerHost, wanted: Wanted<'_>) -> Outcome<()> {
    disk(host, wanted).await?;
    let (held, freed) = holders(host, wanted.leaving).await?;
    for component in wanted.components() {
        for port in &component.runtime.ports {
            if let Some(asked) = Binding::asked(port) {
                free(host, &asked, &held, &freed).await.map_err(|error| error.component(&component.name))?;
            }
        }
        volumes(host, component).await?;
    }
    Ok(())
}

/// Free disk where the engine keeps its images, as far as that can be seen from here.
async fn disk(host: &DockerHost, wanted: Wanted<'_>) -> Outcome<()> {
    let docker = host.client.get().await?;
    let info = docker.info().await.map_err(|cause| failed("the engine can't be asked for its state", &cause))?;
    let Some(root) = info.docker_root_dir.filter(|root| Path::new(root).exists()) else { return Ok(()) };
    let size_here = async |image: &ImageSource| {
        let known = docker.inspect_image(&image.reference()).await.ok();
        known.map(|found| found.size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0))
    };
    let mut largest = 0;
    for component in wanted.order.previous.iter().flat_map(|spec| &spec.components) {
        largest = largest.max(size_here(&component.image).await.unwrap_or(0));
    }
    let mut absent = BTreeMap::new();
    for component in wanted.components() {
        if size_here(&component.image).await.is_none() {
            // Of one that an older server did not tell: as large as the largest of the set before.
            let needed =
                component.image.size_bytes.map_or(largest.saturating_mul(ROOM), |size| size.saturating_mul(PACKED));
            absent.insert(component.image.reference(), needed);
        }
    }
    let (_, available) = resources::disk(Path::new(&root));
    room(&root, available, absent.into_values().fold(0, u64::saturating_add))
}

/// Whether there is room for images that need so much together.
fn room(root: &str, available: u64, images: u64) -> Outcome<()> {
    let needed = MIN_FREE.max(images);
    if available >= needed {
        return Ok(());
    }
    let mib = |bytes: u64| bytes / (1024 * 1024);
    let message = format!("{} MiB are free at {root}, about {} MiB are needed", mib(available), mib(needed));
    Err(TaskError::new(TaskErrorCode::DiskLow, message).hint("make room on the disk, then deploy again"))
}

/// A port of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    port: u16,
    protocol: Protocol,
    /// All addresses when `None`.
    address: Option<IpAddr>,
}

impl Binding {
    /// What a component asks for; `None` unless it asks for a certain port.
    fn asked(port: &Port) -> Option<Self> {
        match port.publish {
            Publish::Word(_) => None,
            Publish::Fixed(number) => Some(Self::new(number, port.protocol, port.bind.as_deref())),
        }
    }

    fn new(port: u16, protocol: Protocol, address: Option<&str>) -> Self {
        let address = address.and_then(|text| text.parse().ok()).filter(|address: &IpAddr| !address.is_unspecified());
        Self { port, protocol, address }
    }

    fn overlaps(&self, other: &Self) -> bool {
        let same_address = match (self.address, other.address) {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => true,
        };
        self.port == other.port && self.protocol == other.protocol && same_address
    }
}

/// What running containers hold, with their names; and what those hold that will be stopped.
async fn holders(host: &DockerHost, leaving: &[String]) -> Outcome<(Vec<(Binding, String)>, Vec<Binding>)> {
    let running = host.client.list(ListContainersOptionsBuilder::new().all(false).build()).await?;
    let (mut held, mut freed) = (Vec::new(), Vec::new());
    for container in running {
        let names = container.names.unwrap_or_default();
        let name = names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default();
        for port in container.ports.unwrap_or_default() {
            let Some(public) = port.public_port else { continue };
            let protocol = match port.typ {
                Some(PortSummaryTypeEnum::UDP) => Protocol::Udp,
                Some(PortSummaryTypeEnum::TCP | PortSummaryTypeEnum::SCTP | PortSummaryTypeEnum::EMPTY) | None => {
                    Protocol::Tcp
                }
            };
            let binding = Binding::new(public, protocol, port.ip.as_deref());
            if leaving.contains(&name) {
                freed.push(binding);
            } else {
                held.push((binding, name.clone()));
            }
        }
    }
    Ok((held, freed))
}

async fn free(host: &DockerHost, asked: &Binding, held: &[(Binding, String)], freed: &[Binding]) -> Outcome<()> {
    let taken = |by: &str| {
        TaskError::new(TaskErrorCode::PortConflict, format!("{by} holds the host's port {}", asked.port))
            .hint("stop that one, publish another port, or `auto`")
    };
    if let Some((_, name)) = held.iter().find(|(binding, _)| binding.overlaps(asked)) {
        return Err(taken(&format!("the container {name}")));
    }
    // With an address of its own the host is another one than ours, or has something else in front of it.
    let is_here = host.connection.advertise_address.is_none() && asked.protocol == Protocol::Tcp;
    if is_here && !freed.iter().any(|binding| binding.overlaps(asked)) && somebody_listens(asked).await {
        return Err(taken("something that is no container"));
    }
    Ok(())
}

async fn somebody_listens(asked: &Binding) -> bool {
    let at = SocketAddr::new(asked.address.unwrap_or(Ipv4Addr::LOCALHOST.into()), asked.port);
    matches!(timeout(KNOCK, TcpStream::connect(at)).await, Ok(Ok(_)))
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

#[cfg(test)]
mod tests {
    use plimsoll_core::component::runtime::PublishWord;

    use super::*;

    #[test]
    fn ports_conflict_where_addresses_meet() {
        let binding = |port, address| Binding::new(port, Protocol::Tcp, address);
        assert!(binding(80, None).overlaps(&binding(80, Some("10.0.0.1"))));
        assert!(binding(80, Some("0.0.0.0")).overlaps(&binding(80, Some("127.0.0.1"))));
        assert!(!binding(80, Some("127.0.0.1")).overlaps(&binding(80, Some("10.0.0.1"))));
        assert!(!binding(80, None).overlaps(&binding(81, None)));
        assert!(!binding(80, None).overlaps(&Binding::new(80, Protocol::Udp, None)));
        let port = |publish| Port { container: 80, publish, bind: None, protocol: Protocol::Tcp };
        assert_eq!(Binding::asked(&port(Publish::Word(PublishWord::Auto))), None);
        assert_eq!(Binding::asked(&port(Publish::Fixed(80))), Some(binding(80, None)));
    }

    #[tokio::test]
    async fn a_listener_that_is_no_container_is_noticed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = Binding::new(listener.local_addr().unwrap().port(), Protocol::Tcp, Some("127.0.0.1"));
        assert!(somebody_listens(&asked).await);
        drop(listener);
        assert!(!somebody_listens(&asked).await);
    }

    #[test]
    fn a_full_disk_is_told_before_anything_is_pulled() {
        const GIB: u64 = 1024 * 1024 * 1024;
        assert!(room("/", GIB, 0).is_ok());
        assert!(room("/", GIB, GIB).is_ok());
        let error = room("/", GIB, 2 * GIB).unwrap_err();
        assert_eq!(error.code, TaskErrorCode::DiskLow);
        assert!(error.message.contains("1024 MiB are free") && error.message.contains("2048 MiB"), "{error}");
        assert_eq!(room("/", MIN_FREE - 1, 0).unwrap_err().code, TaskErrorCode::DiskLow);
    }
}
