//! Networks: made and labelled when absent, never removed; and the component's name on them.

use std::collections::HashMap;

use bollard::models::{EndpointSettings, NetworkConnectRequest, NetworkCreateRequest, NetworkDisconnectRequest};

use plimsoll_core::deployment::spec::{ComponentSpec, label};
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use super::{
    DockerHost,
    client::{failed, is_absent, is_conflict, said},
    labels,
};
use crate::drivers::{Outcome, Scope};

/// Networks that every engine has by itself.
const BUILT_IN: [&str; 3] = ["bridge", "host", "none"];

/// Makes the networks of an order's components.
pub async fn prepare(host: &DockerHost, scope: Scope<'_>) -> Outcome<()> {
    let components = scope.order.spec.iter().flat_map(|spec| &spec.components);
    let mut names: Vec<&String> = components.flat_map(|component| &component.runtime.networks).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| !BUILT_IN.contains(&name.as_str())) {
        ensure(host, scope, name).await?;
    }
    Ok(())
}

async fn ensure(host: &DockerHost, scope: Scope<'_>, name: &str) -> Outcome<()> {
    let docker = host.client.get().await?;
    match docker.inspect_network(name, None).await {
        Ok(_) => return Ok(()),
        Err(cause) if is_absent(&cause) => {}
        Err(cause) => return Err(failed(&format!("the network {name} can't be looked at"), &cause)),
    }
    // Shared by whoever names it, so it says only which target made it.
    let own = labels(scope.order)
        .into_iter()
        .filter(|(key, _)| [label::TENANT, label::ENVIRONMENT, label::TARGET].contains(key));
    let request = NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some("bridge".to_owned()),
        labels: Some(own.map(|(key, value)| (key.to_owned(), value)).collect()),
        ..NetworkCreateRequest::default()
    };
    scope.log.say(None, format!("makes the network {name}"));
    match docker.create_network(request).await {
        Ok(_) => Ok(()),
        // Another task made it meanwhile.
        Err(cause) if is_conflict(&cause) => Ok(()),
        Err(cause) => Err(failed(&format!("the network {name} could not be made"), &cause)),
    }
}

/// Puts a container on a network; one that is there already is fine.
pub async fn connect(host: &DockerHost, container: &str, network: &str, alias: Option<&str>) -> Outcome<()> {
    let docker = host.client.get().await?;
    let aliases = alias.map(|name| vec![name.to_owned()]);
    let request = NetworkConnectRequest {
        container: container.to_owned(),
        endpoint_config: Some(EndpointSettings { aliases, ..EndpointSettings::default() }),
    };
    match docker.connect_network(network, request).await {
        Ok(()) => Ok(()),
        Err(cause) if said(&cause).contains("already") => Ok(()),
        Err(cause) => Err(failed(&format!("{container} could not be put on the network {network}"), &cause)),
    }
}

/// Gives a container its component's name on all its networks. An endpoint's names can't be changed, so it
/// leaves the network and comes back at once.
pub async fn take_name(host: &DockerHost, container: &str, component: &ComponentSpec) -> Outcome<()> {
    let docker = host.client.get().await?;
    for network in component.runtime.networks.iter().filter(|name| !BUILT_IN.contains(&name.as_str())) {
        let Some(found) = host.client.inspect(container).await? else {
            return Err(
                TaskError::new(TaskErrorCode::Unstable, format!("{container} is gone")).component(&component.name)
            );
        };
        let networks: HashMap<String, EndpointSettings> =
            found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let endpoint = networks.get(network);
        let named =
            endpoint.and_then(|endpoint| endpoint.aliases.as_ref()).is_some_and(|all| all.contains(&component.name));
        if named {
            continue;
        }
        if endpoint.is_some() {
            let request = NetworkDisconnectRequest { container: container.to_owned(), force: Some(false) };
            docker
                .disconnect_network(network, request)
                .await
                .map_err(|cause| failed(&format!("{container} could not leave the network {network}"), &cause))?;
        }
        connect(host, container, network, Some(&component.name)).await?;
    }
    Ok(())
}
