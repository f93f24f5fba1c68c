//! The version sticker on the target: a signed envelope in a file beside what it speaks of.

use std::{
    io,
    path::{Path, PathBuf},
};

use plimsoll_protocol::agent::{
    observe::PlacedSticker,
    report::{TaskError, TaskErrorCode},
};

use crate::{
    drivers::Outcome,
    fs::{self as files, Access},
};

const MAX_BYTES: u64 = plimsoll_evidence::MAX_STICKER_BYTES as u64;
const SUFFIX: &str = ".plimsoll.json";

/// Where an application's sticker lies.
#[must_use]
pub fn path(directory: &Path, application: &str) -> PathBuf {
    directory.join(format!("{application}{SUFFIX}"))
}

/// The stickers in a target's directory, as they lie there.
#[must_use]
pub fn read_all(directory: &Path) -> Vec<PlacedSticker> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut stickers: Vec<PlacedSticker> = names
        .filter_map(|name| {
            let application = name.strip_suffix(SUFFIX)?.to_owned();
            let envelope = read(directory, &application).ok()??;
            Some(PlacedSticker { application, envelope })
        })
        .collect();
    stickers.sort_by(|a, b| a.application.cmp(&b.application));
    stickers
}

pub(super) fn read(directory: &Path, application: &str) -> Outcome<Option<String>> {
    let path = path(directory, application);
    let content = files::read(&path, MAX_BYTES).map_err(|cause| failed(&path, &cause))?;
    Ok(content.map(|content| String::from_utf8_lossy(&content).into_owned()))
}

/// Places it, or takes it away.
pub(super) fn place(directory: &Path, application: &str, envelope: Option<&str>) -> Outcome<()> {
    let path = path(directory, application);
    let done = match envelope {
        Some(envelope) => files::replace(&path, envelope.as_bytes(), Access::Public),
        None => files::remove(&path),
    };
    done.map_err(|cause| failed(&path, &cause))
}

fn failed(path: &Path, cause: &io::Error) -> TaskError {
    TaskError::new(TaskErrorCode::StickerFailed, format!("the sticker {} can't be used: {cause}", path.display()))
        .hint("look at the disk's space and at the directory's owner")
}
