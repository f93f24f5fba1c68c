//! Whether the host ports of a target's components can be had, found at the plan and not on the host.

use std::collections::BTreeMap;

use super::{
    Handover,
    spec::{ComponentSpec, DeploymentSpec},
};
use crate::{
    component::runtime::{Port, Protocol, Publish, Switch},
    error::{Error, ErrorCode, Result},
};

/// Refuses fixed host ports where the old and the new container would hold them at once, or two containers.
pub(super) fn check(target: &str, spec: &DeploymentSpec) -> Result<()> {
    let mut holders: BTreeMap<(u16, Transport, String), &str> = BTreeMap::new();
    for component in &spec.components {
        for (port, host) in component.runtime.ports.iter().filter_map(|port| Some((port, fixed(port)?))) {
            check_switch(component, host)?;
            check_instances(component, host)?;
            let key = (host, transport(port), port.bind.clone().unwrap_or_default());
            if let Some(other) = holders.insert(key, &component.name) {
                return Err(Error::new(
                    ErrorCode::RuleViolated,
                    format!(
                        "{other} and {} would both hold host port {host} on target {target}; give one of them another port or publish \"auto\"",
                        component.name
                    ),
                ));
            }
        }
    }
    Ok(())
}

/// How a component that is replaced hands its published ports over.
pub(super) fn handover(component: &ComponentSpec) -> Option<Handover> {
    let runtime = &component.runtime;
    if !runtime.ports.iter().any(|port| port.publish.is_on_host()) {
        return None;
    }
    let exclusive = runtime.volumes.iter().any(|volume| volume.exclusive);
    let one_at_a_time = exclusive || runtime.switch == Some(Switch::Recreate);
    Some(if one_at_a_time { Handover::Gap } else { Handover::WithoutRouter })
}

type Transport = u8;

const fn transport(port: &Port) -> Transport {
    match port.protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }
}

const fn fixed(port: &Port) -> Option<u16> {
    match port.publish {
        Publish::Word(_) => None,
        Publish::Fixed(host) => Some(host),
    }
}

/// With a fixed port the old container must go before the new one comes, and that must have been asked for,
/// because it leaves a gap. A volume that only one may hold asks for it by itself.
fn check_switch(component: &ComponentSpec, host: u16) -> Result<()> {
    let exclusive = component.runtime.volumes.iter().any(|volume| volume.exclusive);
    if exclusive || component.runtime.switch == Some(Switch::Recreate) {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::StartFirstNeedsFreePort,
        format!(
            "{} publishes the fixed host port {host}, so its new container can't start beside the old one; publish \"auto\" or \"none\", or set runtime.switch to \"recreate\" and accept a gap",
            component.name
        ),
    )
    .details(serde_json::json!({ "component": component.name, "port": host })))
}

fn check_instances(component: &ComponentSpec, host: u16) -> Result<()> {
    if component.instances <= 1 {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::RuleViolated,
        format!(
            "{} runs {} times on each target and can't hold the fixed host port {host} more than once; publish \"auto\"",
            component.name, component.instances
        ),
    ))
}
