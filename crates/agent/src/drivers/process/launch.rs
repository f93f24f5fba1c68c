//! Making a process: all that it needs, written down whole before anything runs.

use std::{
    collections::BTreeMap,
    fs, io,
    net::{Ipv4Addr, TcpListener},
};

use secrecy::{ExposeSecret, SecretString};

use plimsoll_core::{
    component::runtime::{Port, Publish, PublishWord},
    deployment::spec::Endpoint,
};
use plimsoll_protocol::agent::{
    report::{TaskError, TaskErrorCode},
    secret::SecretRef,
};

use super::{ProcessHost, check, find, image::UnpackedImage, unusable};
use crate::{
    drivers::{Outcome, Scope, host::NewInstance},
    fs::{self as files, Access},
    supervise::{Spec, Workdir},
    task::secrets::Secret,
};

/// Secret variables, in memory alone.
pub type SecretVariables = BTreeMap<String, SecretString>;

/// Makes the process's directory unless it is there.
pub fn make(host: &ProcessHost, scope: Scope<'_>, new: &NewInstance<'_>) -> Outcome<()> {
    let workdir = host.workdir(new.name);
    let present = workdir.spec().map_err(|cause| unusable(&workdir, &cause))?;
    if present.is_none() {
        let image = host.images.find(new.component)?.ok_or_else(|| {
            TaskError::new(TaskErrorCode::StartFailed, format!("the image of {} is not here", new.component.name))
        })?;
        let spec = spec(host, scope, new, &image)?;
        write(host, &workdir, &spec).map_err(|cause| unusable(&workdir, &cause))?;
    }
    Ok(())
}

/// The secrets that a new process is given.
pub fn secrets_of(new: &NewInstance<'_>) -> SecretVariables {
    let given = new.secrets.iter().filter_map(|secret| Some((secret.target.clone(), text(secret.value.clone())?)));
    given.collect()
}

/// The secrets of a process that is started again.
pub async fn secrets_again(host: &ProcessHost, scope: Scope<'_>, name: &str) -> Outcome<SecretVariables> {
    let workdir = host.workdir(name);
    let spec = workdir.spec().map_err(|cause| unusable(&workdir, &cause))?;
    let names: Vec<(String, String)> = spec.map(|spec| spec.secrets.into_iter().collect()).unwrap_or_default();
    let wanted: Vec<SecretRef> =
        names.iter().map(|(_, secret)| SecretRef::Environment { name: secret.clone() }).collect();
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let values = scope.secrets.get(&wanted).await?;
    let given = names.into_iter().zip(values).filter_map(|((variable, _), value)| Some((variable, text(value)?)));
    Ok(given.collect())
}

/// The plain text of a variable on its way to the supervisor's standard input.
pub fn exposed(secrets: &SecretVariables) -> BTreeMap<String, String> {
    secrets.iter().map(|(name, value)| (name.clone(), value.expose_secret().to_owned())).collect()
}

fn text(secret: Secret) -> Option<SecretString> {
    match secret {
        Secret::Text(text) => Some(text),
        Secret::Basic { .. } => None,
    }
}

fn spec(host: &ProcessHost, scope: Scope<'_>, new: &NewInstance<'_>, image: &UnpackedImage) -> Outcome<Spec> {
    let component = new.component;
    let (program, arguments) = check::entrypoint(image, component)?;
    let (ports, endpoints) = ports(host, component.name.as_str(), &component.runtime.ports)?;
    let directory = image.root.join(image.working_directory.trim_start_matches('/'));
    let secrets = component
        .runtime
        .secrets
        .iter()
        .map(|secret| (secret.target.clone().unwrap_or_else(|| secret.name.clone()), secret.name.clone()));
    Ok(Spec {
        name: new.name.to_owned(),
        target_id: scope.order.target.id,
        application: scope.order.application.clone(),
        component: component.name.clone(),
        instance: new.instance,
        release_id: scope.order.spec.as_ref().map(|spec| spec.release_id),
        task_id: scope.order.task_id,
        epoch: scope.order.epoch,
        spec_hash: new.spec_hash,
        image_id: image.config,
        made_by_digest: component.image.digest,
        program,
        arguments,
        directory: if directory.is_dir() { directory } else { image.root.clone() },
        environment: environment(scope, new, image, &ports),
        secrets: secrets.collect(),
        user: host.user(),
        ports,
        endpoints,
        made_at: scope.log.context().now(),
    })
}

/// The image's variables, then ours, then the component's; the port is always ours.
fn environment(
    scope: Scope<'_>,
    new: &NewInstance<'_>,
    image: &UnpackedImage,
    ports: &BTreeMap<u16, u16>,
) -> BTreeMap<String, String> {
    let component = new.component;
    let mut all: BTreeMap<String, String> = image
        .environment
        .iter()
        .filter_map(|variable| variable.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    all.extend(crate::drivers::instances::own_variables(scope.order, component));
    all.extend(component.runtime.environment.clone());
    for (index, port) in component.runtime.ports.iter().enumerate() {
        let Some(chosen) = ports.get(&port.container) else { continue };
        all.insert(format!("PORT_{}", port.container), chosen.to_string());
        if index == 0 {
            all.insert("PORT".to_owned(), chosen.to_string());
        }
    }
    all
}

/// A host port for each of the component's; those that are not published get one too, since processes share
/// the host's network.
fn ports(host: &ProcessHost, component: &str, wanted: &[Port]) -> Outcome<(BTreeMap<u16, u16>, Vec<Endpoint>)> {
    let taken = find::ports_in_use(host, &[]);
    let mut ports = BTreeMap::new();
    let mut endpoints = Vec::new();
    for port in wanted {
        let chosen = match port.publish {
            Publish::Fixed(fixed) => fixed,
            Publish::Word(PublishWord::Auto | PublishWord::None) => free_port(&taken, &ports)?,
        };
        ports.insert(port.container, chosen);
        if port.publish != Publish::Word(PublishWord::None) {
            let address = format!("{}:{chosen}", host.address(port.bind.as_deref()));
            endpoints.push(Endpoint { component: component.to_owned(), container_port: port.container, address });
        }
    }
    Ok((ports, endpoints))
}

/// One that the kernel has free and that no stopped process of ours may want back.
fn free_port(taken: &std::collections::BTreeSet<u16>, chosen: &BTreeMap<u16, u16>) -> Outcome<u16> {
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let bound = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|listener| listener.local_addr());
        let port = bound
            .map_err(|cause| TaskError::new(TaskErrorCode::PortConflict, format!("no port is free: {cause}")))?
            .port();
        if !taken.contains(&port) && !chosen.values().any(|other| *other == port) {
            return Ok(port);
        }
    }
    Err(TaskError::new(TaskErrorCode::PortConflict, "no port of the host is free"))
}

/// The directory appears whole or not at all.
fn write(host: &ProcessHost, workdir: &Workdir, spec: &Spec) -> io::Result<()> {
    let next = host.processes().join(format!(".new-{}", spec.name));
    if next.exists() {
        fs::remove_dir_all(&next)?;
    }
    files::make_directory(&host.processes(), Access::Public)?;
    files::make_directory(&next, Access::Private)?;
    Workdir(next.clone()).write_spec(spec)?;
    fs::rename(&next, &workdir.0)?;
    files::sync_parent(&workdir.0)
}
