//! Making and starting containers.

use std::collections::HashMap;

use bollard::{
    models::{
        ContainerCreateBody, EndpointSettings, HostConfig, Mount, MountType, NetworkingConfig, PortBinding,
        RestartPolicy as EnginePolicy, RestartPolicyNameEnum,
    },
    query_parameters::CreateContainerOptionsBuilder,
};
use secrecy::ExposeSecret;

use plimsoll_core::{
    component::runtime::{Protocol, Publish, PublishWord, RestartPolicy, Runtime, SecretForm, Volume},
    deployment::spec::label,
};
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{TaskError, TaskErrorCode},
};

use super::{
    DockerHost,
    client::{is_conflict, is_unchanged, said},
    files, instance, labels, network,
};
use crate::{
    drivers::{
        Outcome, Scope,
        host::{Instance, NewInstance},
        instances::own_variables,
    },
    task::{secrets::Secret, step::Alias},
};

/// Makes the container unless it is there. One of another task by that name is refused.
pub async fn make(host: &DockerHost, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<Instance> {
    let present = match instance::one(host, new.name).await? {
        Some(found) => found,
        None => create(host, scope, new).await?,
    };
    if present.ours.as_ref().is_none_or(|ours| ours.task_id != Some(scope.order.task_id)) {
        return Err(TaskError::new(
            TaskErrorCode::NameConflict,
            format!("a container that is not ours is called {}", new.name),
        )
        .component(&new.component.name)
        .hint("rename or remove it"));
    }
    Ok(present)
}

/// Starts the container that was made, unless it ever ran.
pub async fn run(host: &DockerHost, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
    if make(host, scope, new).await?.was_started {
        return Ok(());
    }
    // Done again after a kill in between: all of these find what is there.
    files::place(host, new).await?;
    for name in new.component.runtime.networks.iter().skip(1) {
        network::connect(host, new.name, name, alias(new)).await?;
    }
    start(host, new.name).await
}

/// Starts a container; one that runs is left alone.
pub async fn start(host: &DockerHost, name: &str) -> Outcome<()> {
    let docker = host.client.get().await?;
    match docker.start_container(name, None).await {
        Ok(()) => Ok(()),
        Err(cause) if is_unchanged(&cause) => Ok(()),
        Err(cause) => {
            // An answer may be lost although the start was done.
            if instance::one(host, name).await?.is_some_and(|found| found.state == RunState::Running) {
                return Ok(());
            }
            Err(not_started(name, &said(&cause)))
        }
    }
}

async fn create(host: &DockerHost, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<Instance> {
    let docker = host.client.get().await?;
    let options = CreateContainerOptionsBuilder::new().name(new.name).build();
    // Switched on when all is well: a host that reboots meanwhile must not start a half-done set. An engine
    // that can't switch it on later has it from the start, or nothing would ever start the container again.
    let restart = if host.client.changes_restart_policies().await? {
        RestartPolicy::No
    } else {
        new.component.runtime.restart.unwrap_or_default()
    };
    match docker.create_container(Some(options), body(scope, new, restart)).await {
        Ok(_) => {}
        // Made by a call whose answer was lost, or by somebody else: the caller looks whose it is.
        Err(cause) if is_conflict(&cause) => {}
        Err(cause) => {
            let text = said(&cause);
            let code = if text.contains("bind source path") {
                TaskErrorCode::VolumeMissing
            } else {
                TaskErrorCode::StartFailed
            };
            return Err(
                TaskError::new(code, format!("{} could not be made: {text}", new.name)).component(&new.component.name)
            );
        }
    }
    let made = instance::one(host, new.name).await?;
    made.ok_or_else(|| {
        TaskError::new(TaskErrorCode::StartFailed, format!("{} is gone right after it was made", new.name))
    })
}

fn not_started(name: &str, text: &str) -> TaskError {
    let taken = text.contains("port is already allocated") || text.contains("address already in use");
    if taken {
        return TaskError::new(TaskErrorCode::PortConflict, format!("{name} could not be started: {text}"))
            .hint("free the host's port, publish another one, or `auto`");
    }
    TaskError::new(TaskErrorCode::StartFailed, format!("{name} could not be started: {text}"))
}

/// The names by which it is found on its networks from the start.
fn alias<'a>(new: &NewInstance<'a>) -> Option<&'a str> {
    match new.alias {
        Alias::AtOnce => Some(new.component.name.as_str()),
        Alias::AtSwitch => None,
    }
}

fn body(scope: Scope<'_>, new: &NewInstance<'_>, restart: RestartPolicy) -> ContainerCreateBody {
    let runtime = &new.component.runtime;
    let networking_config = runtime.networks.first().map(|first| {
        let aliases = alias(new).map(|name| vec![name.to_owned()]);
        let endpoint = EndpointSettings { aliases, ..EndpointSettings::default() };
        NetworkingConfig { endpoints_config: Some(HashMap::from([(first.clone(), endpoint)])) }
    });
    ContainerCreateBody {
        image: Some(new.component.image.reference()),
        env: Some(environment(scope, new)),
        cmd: runtime.command.clone(),
        user: runtime.user.clone(),
        labels: Some(all_labels(scope, new)),
        exposed_ports: Some(runtime.ports.iter().map(|port| port_name(port.container, port.protocol)).collect()),
        stop_timeout: runtime.stop_grace_seconds.map(i64::from),
        host_config: Some(host_config(runtime, restart)),
        networking_config,
        ..ContainerCreateBody::default()
    }
}

fn environment(scope: Scope<'_>, new: &NewInstance<'_>) -> Vec<String> {
    let mut all = own_variables(scope.order, new.component);
    all.extend(new.component.runtime.environment.clone());
    for secret in new.secrets.iter().filter(|secret| secret.form == SecretForm::Env) {
        if let Secret::Text(text) = &secret.value {
            all.insert(secret.target.clone(), text.expose_secret().to_owned());
        }
    }
    all.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// The component's labels, then ours, which nobody overrides.
fn all_labels(scope: Scope<'_>, new: &NewInstance<'_>) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = new.component.runtime.labels.clone().into_iter().collect();
    all.retain(|name, _| !name.starts_with(label::PREFIX));
    all.extend(labels(scope.order).into_iter().map(|(name, value)| (name.to_owned(), value)));
    all.insert(label::COMPONENT.to_owned(), new.component.name.clone());
    all.insert(label::INSTANCE.to_owned(), new.instance.to_string());
    all.insert(label::SPEC_HASH.to_owned(), new.spec_hash.to_string());
    all
}

fn host_config(runtime: &Runtime, restart: RestartPolicy) -> HostConfig {
    let limits = runtime.resources.as_ref();
    let bindings = runtime.ports.iter().filter_map(|port| {
        let host_port = match port.publish {
            Publish::Word(PublishWord::None) => return None,
            // The engine chooses.
            Publish::Word(PublishWord::Auto) => String::new(),
            Publish::Fixed(number) => number.to_string(),
        };
        let binding = PortBinding { host_ip: port.bind.clone(), host_port: Some(host_port) };
        Some((port_name(port.container, port.protocol), Some(vec![binding])))
    });
    HostConfig {
        port_bindings: Some(bindings.collect()),
        mounts: Some(runtime.volumes.iter().map(mount).collect()),
        memory: limits.and_then(|limits| limits.memory_bytes).and_then(|bytes| i64::try_from(bytes).ok()),
        nano_cpus: limits.and_then(|limits| limits.cpu_millis).map(|millis| i64::from(millis) * 1_000_000),
        pids_limit: limits.and_then(|limits| limits.pids).map(i64::from),
        network_mode: runtime.networks.first().cloned(),
        restart_policy: Some(EnginePolicy { name: Some(policy(restart)), maximum_retry_count: None }),
        ..HostConfig::default()
    }
}

fn mount(volume: &Volume) -> Mount {
    let kind = if volume.source.starts_with('/') { MountType::BIND } else { MountType::VOLUME };
    Mount {
        target: Some(volume.target.clone()),
        source: Some(volume.source.clone()),
        typ: Some(kind),
        read_only: Some(volume.read_only),
        ..Mount::default()
    }
}

fn port_name(port: u16, protocol: Protocol) -> String {
    match protocol {
        Protocol::Tcp => format!("{port}/tcp"),
        Protocol::Udp => format!("{port}/udp"),
    }
}

/// A policy in the engine's words.
pub const fn policy(policy: RestartPolicy) -> RestartPolicyNameEnum {
    match policy {
        RestartPolicy::No => RestartPolicyNameEnum::NO,
        RestartPolicy::OnFailure => RestartPolicyNameEnum::ON_FAILURE,
        RestartPolicy::Always => RestartPolicyNameEnum::ALWAYS,
        RestartPolicy::UnlessStopped => RestartPolicyNameEnum::UNLESS_STOPPED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_told_from_other_failures() {
        let taken = not_started("web", "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated");
        assert_eq!(taken.code, TaskErrorCode::PortConflict);
        assert_eq!(not_started("web", "exec: no such file").code, TaskErrorCode::StartFailed);
    }
}
