//! The data directory: made with safe rights, locked by one process, never on a network file system.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use plimsoll_core::{Error, ErrorCode, Result};
use rustix::fs::{FlockOperation, flock};

/// File systems that don't keep SQLite's locks: NFS, CIFS, SMB2.
const NETWORK: [u32; 3] = [0x6969, 0xFF53_4D42, 0xFE53_4D42];

/// Holds the lock until dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory when absent and locks it; a second server is told the first one's pid.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let failed = |what: &str, cause: &dyn std::fmt::Display| {
            Error::new(ErrorCode::Unavailable, format!("the data directory {} {what}: {cause}", path.display()))
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| failed("cannot be made", &cause))?;
        let kind = rustix::fs::statfs(path).map_err(|cause| failed("cannot be examined", &cause))?.f_type;
        if NETWORK.contains(&(kind as u32)) {
            return Err(Error::new(
                ErrorCode::Unavailable,
                format!(
                    "the data directory {} is on a network file system, where SQLite loses data; use a local disk, or PostgreSQL (databaseUrl)",
                    path.display()
                ),
            ));
        }
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("plimsoll.lock"))
            .map_err(|cause| failed("cannot be locked", &cause))?;
        if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut pid = String::new();
            // Only for the message.
            drop(lock.read_to_string(&mut pid));
            return Err(Error::new(
                ErrorCode::Unavailable,
                format!(
                    "another server (pid {}) uses the data directory {}; stop it, or choose another directory",
                    pid.trim(),
                    path.display()
                ),
            ));
        }
        let noted = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| write!(lock, "{}", std::process::id()));
        noted.map_err(|cause| failed("cannot be written to", &cause))?;
        Ok(Self { _lock: lock })
    }
}
