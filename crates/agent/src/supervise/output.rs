//! The output of a process: appended to files by the process itself, so that nobody's death loses it, and
//! rotated by its supervisor.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

/// A file is rotated when it has grown to this.
const MAX_BYTES: u64 = 10 * 1024 * 1024;

/// Opens an output file for the process.
pub fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path)
}

/// Keeps one older file beside a grown one. The process goes on writing to the same file, in append mode, so
/// it is copied and emptied; lines written in between are lost.
pub fn rotate(path: &Path) -> io::Result<()> {
    let length = std::fs::metadata(path)?.len();
    if length < MAX_BYTES {
        return Ok(());
    }
    std::fs::copy(path, path.with_extension("log.1"))?;
    OpenOptions::new().write(true).open(path)?.set_len(0)
}
