//! Images: pulled by digest, verified, remembered as ours, removed when they are old.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use bollard::{
    auth::DockerCredentials,
    query_parameters::{CreateImageOptionsBuilder, RemoveImageOptionsBuilder},
};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use plimsoll_core::{
    Digest,
    deployment::spec::{ComponentSpec, ImageSource},
};
use plimsoll_protocol::agent::{
    report::{TaskError, TaskErrorCode},
    secret::SecretRef,
};

use super::{
    DockerHost,
    client::{failed, is_absent, is_conflict, said},
    defect, instance,
};
use crate::{
    drivers::{Outcome, Scope, host::ImageRecord},
    fs::{self as files, Access},
};

/// An engine that says nothing about a pull for this long has lost it.
const SILENCE: Duration = Duration::from_mins(5);
const ATTEMPTS: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Pulls a component's image unless it is there.
pub async fn image(host: &DockerHost, scope: Scope<'_>, component: &ComponentSpec) -> Outcome<()> {
    let source = &component.image;
    let reference = source.reference();
    if let Some(id) = present(host, &reference).await? {
        scope.log.say(Some(&component.name), format!("{reference} is here already"));
        return verify(component, id);
    }
    // Before the pull: an image that is there afterwards without this note would count as somebody else's.
    remember(host.directory.as_path(), &reference)?;
    scope.log.say(Some(&component.name), format!("pulls {reference}"));
    fetch(host, scope, component).await?;
    match present(host, &reference).await? {
        Some(id) => verify(component, id),
        None => Err(TaskError::new(
            TaskErrorCode::PullFailed,
            format!("the engine pulled {reference} and does not have it"),
        )),
    }
}

/// Removes images that are ours, not kept and not used.
pub async fn prune(host: &DockerHost, drop: &[ImageRecord], keep: &[ImageRecord]) -> Outcome<Vec<ImageRecord>> {
    let docker = host.client.get().await?;
    let mut ours = remembered(&host.directory)?;
    let mut gone = Vec::new();
    for image in drop.iter().filter(|image| !keep.contains(image)) {
        if !ours.contains(&image.reference) {
            // It was there before us: it stays, and is not ours to think of.
            gone.push(image.clone());
            continue;
        }
        let options = RemoveImageOptionsBuilder::new().force(false).build();
        match docker.remove_image(&image.reference, Some(options), None).await {
            Ok(_) => {}
            Err(cause) if is_absent(&cause) => {}
            // Something still uses it.
            Err(cause) if is_conflict(&cause) => continue,
            Err(cause) => return Err(failed(&format!("{} could not be removed", image.reference), &cause)),
        }
        ours.remove(&image.reference);
        write(&host.directory, &ours)?;
        gone.push(image.clone());
    }
    Ok(gone)
}

/// Pulls, and again when the registry or the way to it failed for a moment.
async fn fetch(host: &DockerHost, scope: Scope<'_>, component: &ComponentSpec) -> Outcome<()> {
    let source = &component.image;
    let mut pause = FIRST_PAUSE;
    for _ in 1..ATTEMPTS {
        match pull(host, source, credentials(scope, source).await?).await {
            Ok(()) => return Ok(()),
            Err(said) if is_final(&said) => return Err(refused(source, &said)),
            Err(said) => scope.log.say(Some(&component.name), format!("the pull failed and is tried again: {said}")),
        }
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
    pull(host, source, credentials(scope, source).await?).await.map_err(|said| refused(source, &said))
}

/// The credentials travel in this one call's header; the engine keeps them nowhere.
async fn pull(host: &DockerHost, source: &ImageSource, credentials: Option<DockerCredentials>) -> Result<(), String> {
    let docker = host.client.get().await.map_err(|error| error.message)?.with_timeout(SILENCE);
    let options = CreateImageOptionsBuilder::new().from_image(&source.reference()).build();
    let mut progress = docker.create_image(Some(options), None, credentials);
    loop {
        match timeout(SILENCE, progress.next()).await {
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(cause))) => return Err(said(&cause)),
            Ok(None) => return Ok(()),
            Err(_) => return Err(format!("the engine said nothing for {} s", SILENCE.as_secs())),
        }
    }
}

fn refused(source: &ImageSource, said: &str) -> TaskError {
    let hint = if source.authenticated {
        "look whether the engine reaches the registry, and whether the image is still there"
    } else {
        "look whether the engine reaches the registry without signing in, and whether the image is still there; a mirror is told user and password only if the integration lists it in trustedMirrors"
    };
    TaskError::new(TaskErrorCode::PullFailed, format!("{} could not be pulled: {said}", source.reference())).hint(hint)
}

/// What another attempt would not change, in the words of registries and engines.
fn is_final(said: &str) -> bool {
    let said = said.to_lowercase();
    ["unauthorized", "denied", "no basic auth", "unknown", "not found", "no matching manifest", "invalid"]
        .iter()
        .any(|word| said.contains(word))
}

async fn present(host: &DockerHost, reference: &str) -> Outcome<Option<Digest>> {
    let docker = host.client.get().await?;
    match docker.inspect_image(reference).await {
        Ok(found) => Ok(found.id.as_deref().and_then(instance::digest)),
        Err(cause) if is_absent(&cause) => Ok(None),
        Err(cause) => Err(failed(&format!("{reference} can't be looked at"), &cause)),
    }
}

/// The engine names an image by its configuration, manifest or index, as its store is.
fn verify(component: &ComponentSpec, id: Digest) -> Outcome<()> {
    if component.expected.contains(&id) {
        return Ok(());
    }
    let expected = component.expected;
    Err(TaskError::new(
        TaskErrorCode::ImageMismatch,
        format!(
            "the engine has {id}; promoted was the index {}, manifest {}, configuration {}",
            expected.index, expected.manifest, expected.config
        ),
    )
    .hint("look whether the target's platform is what the server thinks, then sync the component"))
}

async fn credentials(scope: Scope<'_>, source: &ImageSource) -> Outcome<Option<DockerCredentials>> {
    if !source.authenticated {
        return Ok(None);
    }
    let wanted = SecretRef::Registry { integration_id: source.integration_id, host: source.registry.clone() };
    let (username, password) = scope.secrets.basic(&wanted).await?;
    Ok(Some(DockerCredentials {
        username: Some(username),
        password: Some(password.expose_secret().to_owned()),
        serveraddress: Some(source.registry.clone()),
        ..DockerCredentials::default()
    }))
}

fn remember(directory: &Path, reference: &str) -> Outcome<()> {
    let mut all = remembered(directory)?;
    if all.insert(reference.to_owned()) { write(directory, &all) } else { Ok(()) }
}

/// The references that we pulled and nobody had before.
fn remembered(directory: &Path) -> Outcome<BTreeSet<String>> {
    let path = place(directory);
    let content = files::read(&path, MAX_BYTES).map_err(|cause| defect(format!("{}: {cause}", path.display())))?;
    Ok(content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default())
}

fn write(directory: &Path, all: &BTreeSet<String>) -> Outcome<()> {
    let path = place(directory);
    let text = serde_json::to_vec_pretty(all).map_err(|cause| defect(cause.to_string()))?;
    files::replace(&path, &text, Access::Private).map_err(|cause| defect(format!("{}: {cause}", path.display())))
}

fn place(directory: &Path) -> PathBuf {
    directory.join("pulled.json")
}
