//! What an engine says of a container, in our words.

use std::collections::HashMap;

use bollard::{
    models::{
        ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HealthStatusEnum, RestartPolicyNameEnum,
    },
    query_parameters::ListContainersOptionsBuilder,
};

use plimsoll_core::{
    Digest, Timestamp,
    component::runtime::RestartPolicy,
    deployment::spec::{Endpoint, label},
    id::TargetId,
};
use plimsoll_protocol::agent::observe::RunState;

use super::DockerHost;
use crate::drivers::{
    Outcome,
    host::{HostHealth, Instance, Ours},
};

/// Everything of ours on a target.
pub async fn all(host: &DockerHost, target: TargetId) -> Outcome<Vec<Instance>> {
    let filters = HashMap::from([("label", vec![format!("{}={target}", label::TARGET)])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let found = host.client.list(options).await?;
    let mut instances = Vec::with_capacity(found.len());
    for id in found.into_iter().filter_map(|container| container.id) {
        // One may go between the two questions.
        instances.extend(one(host, &id).await?);
    }
    instances.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(instances)
}

/// One by name or id.
pub async fn one(host: &DockerHost, name: &str) -> Outcome<Option<Instance>> {
    Ok(host.client.inspect(name).await?.map(|found| read(host, found)))
}

/// `sha256:…`, with or without the algorithm: Podman leaves it out.
pub fn digest(text: &str) -> Option<Digest> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    format!("sha256:{hex}").parse().ok()
}

/// The networks that a container is on, with its address on each.
pub fn addresses(found: &ContainerInspectResponse) -> Vec<String> {
    let networks = found.network_settings.iter().filter_map(|settings| settings.networks.as_ref()).flatten();
    networks.filter_map(|(_, endpoint)| endpoint.ip_address.clone()).filter(|address| !address.is_empty()).collect()
}

/// The host's port for a container's TCP port, with the address it is bound to.
pub fn published(found: &ContainerInspectResponse, port: u16) -> Option<(String, u16)> {
    let ports = found.network_settings.as_ref()?.ports.as_ref()?;
    let bindings = ports.get(&format!("{port}/tcp"))?.as_ref()?;
    let binding = bindings.iter().find(|binding| binding.host_ip.as_deref() != Some("::")).or(bindings.first())?;
    Some((binding.host_ip.clone().unwrap_or_default(), binding.host_port.as_ref()?.parse().ok()?))
}

fn read(host: &DockerHost, found: ContainerInspectResponse) -> Instance {
    let config = found.config.as_ref();
    let labels = config.and_then(|config| config.labels.clone()).unwrap_or_default();
    let ours = ours(&labels);
    let state = found.state.clone().unwrap_or_default();
    let started_at = state.started_at.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    // Engines say year 1 for never.
    let started_at = started_at.filter(|at| at.as_seconds() > 0);
    let run_state = run_state(&state);
    let endpoints = match run_state {
        RunState::Running => endpoints(host, &found, ours.as_ref().map_or("", |ours| &ours.component)),
        RunState::Created | RunState::Restarting | RunState::Exited => Vec::new(),
    };
    Instance {
        name: found.name.clone().unwrap_or_default().trim_start_matches('/').to_owned(),
        state: run_state,
        was_started: started_at.is_some(),
        started_at,
        exit_code: (run_state == RunState::Exited).then_some(state.exit_code).flatten(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        restarts: u32::try_from(found.restart_count.unwrap_or_default()).unwrap_or_default(),
        restart: restart(&found),
        image_id: found.image.as_deref().and_then(digest),
        made_by_digest: config
            .and_then(|config| config.image.as_deref())
            .and_then(|image| image.split_once('@'))
            .and_then(|(_, text)| digest(text)),
        endpoints,
        host_health: health(&state),
        ours,
    }
}

fn ours(labels: &HashMap<String, String>) -> Option<Ours> {
    labels.get(label::TARGET)?;
    let text = |name: &str| labels.get(name).cloned().unwrap_or_default();
    Some(Ours {
        application: text(label::APPLICATION),
        component: text(label::COMPONENT),
        instance: text(label::INSTANCE).parse().unwrap_or_default(),
        release_id: text(label::RELEASE).parse().ok(),
        task_id: text(label::TASK).parse().ok(),
        epoch: text(label::EPOCH).parse().unwrap_or_default(),
        spec_hash: text(label::SPEC_HASH).parse().ok(),
    })
}

fn run_state(state: &ContainerState) -> RunState {
    match state.status {
        Some(ContainerStateStatusEnum::CREATED) => RunState::Created,
        Some(
            ContainerStateStatusEnum::RUNNING | ContainerStateStatusEnum::PAUSED | ContainerStateStatusEnum::STOPPING,
        ) => RunState::Running,
        Some(ContainerStateStatusEnum::RESTARTING) => RunState::Restarting,
        Some(
            ContainerStateStatusEnum::EXITED
            | ContainerStateStatusEnum::DEAD
            | ContainerStateStatusEnum::REMOVING
            | ContainerStateStatusEnum::EMPTY,
        )
        | None => RunState::Exited,
    }
}

fn restart(found: &ContainerInspectResponse) -> RestartPolicy {
    let policy = found.host_config.as_ref().and_then(|config| config.restart_policy.as_ref());
    match policy.and_then(|policy| policy.name) {
        Some(RestartPolicyNameEnum::ALWAYS) => RestartPolicy::Always,
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
        Some(RestartPolicyNameEnum::ON_FAILURE) => RestartPolicy::OnFailure,
        Some(RestartPolicyNameEnum::NO | RestartPolicyNameEnum::EMPTY) | None => RestartPolicy::No,
    }
}

fn health(state: &ContainerState) -> HostHealth {
    match state.health.as_ref().and_then(|health| health.status) {
        Some(HealthStatusEnum::HEALTHY) => HostHealth::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => HostHealth::Unhealthy(last_check(state)),
        Some(HealthStatusEnum::STARTING) => HostHealth::Starting,
        Some(HealthStatusEnum::NONE | HealthStatusEnum::EMPTY) | None => HostHealth::None,
    }
}

/// What the image's last HEALTHCHECK said.
fn last_check(state: &ContainerState) -> String {
    const SHOWN: usize = 300;
    let log = state.health.as_ref().and_then(|health| health.log.as_ref());
    let Some(last) = log.and_then(|log| log.last()) else { return "it says no more".to_owned() };
    let output: String = last.output.as_deref().unwrap_or_default().trim().chars().take(SHOWN).collect();
    format!("its check ended with {}: {output}", last.exit_code.unwrap_or(-1))
}

fn endpoints(host: &DockerHost, found: &ContainerInspectResponse, component: &str) -> Vec<Endpoint> {
    let ports = found.network_settings.iter().filter_map(|settings| settings.ports.as_ref()).flatten();
    let mut endpoints: Vec<Endpoint> = ports
        .filter_map(|(port, bindings)| {
            let container_port: u16 = port.split('/').next()?.parse().ok()?;
            // An engine with IPv6 tells each port twice.
            let all = bindings.as_ref()?;
            let binding = all.iter().find(|one| one.host_ip.as_deref() != Some("::")).or(all.first())?;
            let address = format!("{}:{}", host.address(binding.host_ip.as_deref()), binding.host_port.as_ref()?);
            Some(Endpoint { component: component.to_owned(), container_port, address })
        })
        .collect();
    endpoints.sort_by_key(|endpoint| endpoint.container_port);
    endpoints
}
