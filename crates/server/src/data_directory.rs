//! The data directory: made with safe rights, locked by one process, never on a network file system.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use plimsoll_core::{Error, ErrorCode, Result};
use rustix::fs::{FlockOperation, flock};

/// File systems that do not keep SQLite's locks, or not for all who see the file, by the number that the kernel gives
/// them. What FUSE serves says nothing of where it lies (sshfs, GlusterFS, object stores), so none of it is trusted.
const NETWORK: &[(u32, &str)] = &[
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB2"),
    (0x6573_5546, "FUSE"),
    (0x00C3_6400, "Ceph"),
    (0x0102_1997, "9p"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x0116_1970, "GFS2"),
    (0x7461_636F, "OCFS2"),
    (0x5346_414F, "AFS"),
    (0x6B41_4653, "AFS"),
    (0x7375_7245, "Coda"),
    (0x564C, "NCP"),
];

/// What lies in the data directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// SQLite's file, beside keys and logs.
    Database,
    /// Keys and logs; the database is PostgreSQL's.
    FilesAlone,
}

fn check_kind(path: &Path, kind: u32, holds: Holds) -> Result<()> {
    let network = NETWORK.iter().find(|(number, _)| *number == kind);
    match (network, holds) {
        (Some((_, name)), Holds::Database) => Err(Error::new(
            ErrorCode::Unavailable,
            format!(
                "the data directory {} is on a network file system ({name}), where SQLite loses data; use a local disk, or PostgreSQL (databaseUrl)",
                path.display()
            ),
        )),
        (Some(_), Holds::FilesAlone) | (None, _) => Ok(()),
    }
}

/// Holds the lock until dropped.
#[derive(Debug)]
pub(crate) struct DataDirectory {
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory when absent and locks it; a second server is told the first one's pid.
    /// A database file in it must not be on a network file system.
    pub(crate) fn open(path: &Path, holds: Holds) -> Result<Self> {
        let failed = |what: &str, cause: &dyn std::fmt::Display| {
            Error::new(ErrorCode::Unavailable, format!("the data directory {} {what}: {cause}", path.display()))
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(|cause| failed("cannot be made", &cause))?;
        let kind = rustix::fs::statfs(path).map_err(|cause| failed("cannot be examined", &cause))?.f_type;
        check_kind(path, kind as u32, holds)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_file_system_is_refused_for_sqlite_alone() {
        let path = Path::new("/data");
        for (number, name) in NETWORK {
            let error = check_kind(path, *number, Holds::Database).unwrap_err();
            assert!(error.message().contains(name), "{error}");
            check_kind(path, *number, Holds::FilesAlone).unwrap();
        }
        // ext4, btrfs, XFS, tmpfs, overlayfs, ZFS.
        for local in [0xEF53, 0x9123_683E, 0x5846_5342, 0x0102_1994, 0x794C_7630, 0x2FC1_2FC1] {
            check_kind(path, local, Holds::Database).unwrap();
        }
    }
}
