//! The record of what stands: one file an application beside its sticker. With it leftovers of killed tasks
//! are told from the set that runs, health can be asked without the server, and old images are known.

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use plimsoll_core::{
    deployment::spec::DeploymentSpec,
    id::{ReleaseId, TaskId},
};
use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use crate::{
    drivers::{Outcome, host::ImageRecord},
    fs::{self as files, Access},
};

/// What stands of one application on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The task that brought it.
    pub task_id: TaskId,
    /// At which epoch.
    pub epoch: u64,
    /// What runs; `None` after a teardown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<DeploymentSpec>,
    /// The names of what stands.
    pub instances: Vec<String>,
    /// Images that we pulled, by release, the newest first.
    #[serde(default)]
    pub images: Vec<ReleaseImages>,
}

/// The images of one release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseImages {
    /// Which.
    pub release_id: ReleaseId,
    /// Its images.
    pub images: Vec<ImageRecord>,
    /// Not needed here any more: they go when nobody else uses or keeps them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
}

const MAX_BYTES: u64 = 4 * 1024 * 1024;
const SUFFIX: &str = ".record.json";

/// The record of an application as it lies there.
pub fn read_record(directory: &Path, application: &str) -> Outcome<Option<Record>> {
    let path = path(directory, application);
    let content = files::read(&path, MAX_BYTES).map_err(|cause| unusable(&path, &cause))?;
    Ok(content.and_then(|content| parse(&content)))
}

/// Its text, to be put back by an undo.
pub(super) fn read_text(directory: &Path, application: &str) -> Outcome<Option<String>> {
    let path = path(directory, application);
    let content = files::read(&path, MAX_BYTES).map_err(|cause| unusable(&path, &cause))?;
    Ok(content.and_then(|content| String::from_utf8(content).ok()))
}

pub(super) fn write(directory: &Path, application: &str, record: &Record) -> Outcome<()> {
    let text = serde_json::to_string_pretty(record)
        .map_err(|cause| TaskError::new(TaskErrorCode::AgentDefect, format!("a record can't be written: {cause}")))?;
    write_text(directory, application, Some(&text))
}

pub(super) fn write_text(directory: &Path, application: &str, text: Option<&str>) -> Outcome<()> {
    let path = path(directory, application);
    let done = match text {
        Some(text) => files::replace(&path, text.as_bytes(), Access::Private),
        None => files::remove(&path),
    };
    done.map_err(|cause| unusable(&path, &cause))
}

/// Every application that has a record in a target's directory, with it.
pub(super) fn all(directory: &Path) -> Vec<(String, Record)> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut records: Vec<(String, Record)> = names
        .filter_map(|name| {
            let application = name.strip_suffix(SUFFIX)?.to_owned();
            let record = read_record(directory, &application).ok()??;
            Some((application, record))
        })
        .collect();
    records.sort_by(|a, b| a.0.cmp(&b.0));
    records
}

/// A damaged record is as good as none: what runs is then taken for what stands.
fn parse(content: &[u8]) -> Option<Record> {
    serde_json::from_slice(content)
        .inspect_err(|cause| tracing::warn!(%cause, "a record of what stands can't be read; going by what runs"))
        .ok()
}

fn path(directory: &Path, application: &str) -> PathBuf {
    directory.join(format!("{application}{SUFFIX}"))
}

fn unusable(path: &Path, cause: &io::Error) -> TaskError {
    TaskError::new(TaskErrorCode::AgentDefect, format!("{} can't be used: {cause}", path.display()))
        .hint("look at the disk's space and at the file's owner")
}
