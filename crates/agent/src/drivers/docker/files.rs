//! Secrets as files: copied into the made container before it starts, readable by its user alone.

use bollard::{
    body_full,
    query_parameters::{DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder},
};
use futures_util::StreamExt;
use secrecy::ExposeSecret;
use std::io::Read;

use plimsoll_core::component::runtime::SecretForm;
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use super::{DockerHost, client::failed, defect};
use crate::{
    drivers::{
        Outcome,
        host::{GivenSecret, NewInstance},
    },
    task::secrets::Secret,
};

const MAX_PASSWD: usize = 1024 * 1024;

/// Places the files; those that are there are written anew.
pub async fn place(host: &DockerHost, new: &NewInstance<'_>) -> Outcome<()> {
    let files: Vec<&GivenSecret> = new.secrets.iter().filter(|secret| secret.form == SecretForm::File).collect();
    if files.is_empty() {
        return Ok(());
    }
    let owner = owner(host, new.name).await?;
    let mut archive = tar::Builder::new(Vec::new());
    for file in files {
        let Secret::Text(text) = &file.value else { continue };
        let path = file.target.trim_start_matches('/');
        if !file.target.starts_with('/') || path.split('/').any(|part| part == "..") {
            let message = format!("a secret's file needs an absolute path; {:?} is none", file.target);
            return Err(TaskError::new(TaskErrorCode::OrderInvalid, message).component(&new.component.name));
        }
        let content = text.expose_secret().as_bytes();
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o400);
        header.set_uid(owner.0);
        header.set_gid(owner.1);
        header.set_size(content.len() as u64);
        archive.append_data(&mut header, path, content).map_err(|cause| defect(cause.to_string()))?;
    }
    let bytes = archive.into_inner().map_err(|cause| defect(cause.to_string()))?;
    let docker = host.client.get().await?;
    let options = UploadToContainerOptionsBuilder::new().path("/").build();
    docker
        .upload_to_container(new.name, Some(options), body_full(bytes.into()))
        .await
        .map_err(|cause| failed(&format!("the secrets' files could not be put into {}", new.name), &cause))
}

/// Who the container's program runs as: numbers, or a name that the image's passwd knows.
async fn owner(host: &DockerHost, name: &str) -> Outcome<(u64, u64)> {
    let found = host.client.inspect(name).await?;
    let user = found.and_then(|found| found.config).and_then(|config| config.user).unwrap_or_default();
    let (user, group) = user.split_once(':').map_or((user.as_str(), None), |(user, group)| (user, Some(group)));
    if user.is_empty() {
        return Ok((0, 0));
    }
    if let Ok(uid) = user.parse() {
        return Ok((uid, group.and_then(|group| group.parse().ok()).unwrap_or(uid)));
    }
    let passwd = passwd(host, name).await.unwrap_or_default();
    let entry =
        passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields.first() == Some(&user));
    let number = |at: usize| entry.as_ref().and_then(|fields| fields.get(at)?.parse().ok());
    match (number(2), number(3)) {
        (Some(uid), Some(gid)) => Ok((uid, gid)),
        _ => Err(TaskError::new(
            TaskErrorCode::StartFailed,
            format!("{name} runs as {user:?}, whom its image's /etc/passwd does not know, so its secret files can have no owner"),
        )
        .hint("give the user as a number")),
    }
}

async fn passwd(host: &DockerHost, name: &str) -> Option<String> {
    let docker = host.client.get().await.ok()?;
    let options = DownloadFromContainerOptionsBuilder::new().path("/etc/passwd").build();
    let mut stream = docker.download_from_container(name, Some(options));
    let mut bytes = Vec::new();
    while let Some(piece) = stream.next().await {
        bytes.extend_from_slice(&piece.ok()?);
        if bytes.len() > MAX_PASSWD {
            return None;
        }
    }
    let mut archive = tar::Archive::new(bytes.as_slice());
    let mut text = String::new();
    archive.entries().ok()?.next()?.ok()?.read_to_string(&mut text).ok()?;
    Some(text)
}
