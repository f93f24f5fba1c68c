//! Free space where the data is: a warning in time, and no new work when there is none left.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use plimsoll_core::{Error, ErrorCode, Result};
use tokio_util::sync::CancellationToken;

use crate::state::Server;

/// Between two looks.
const EACH: Duration = Duration::from_secs(5);
/// Under this, or under a tenth of the disk, operators are warned.
const LOW_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// A file system, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) total: u64,
    /// What this process may still write.
    pub(crate) free: u64,
}

/// How much is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Level {
    /// Enough.
    Enough,
    /// Under 10 % or 2 GiB.
    Low,
    /// Under 2 %: what runs is finished, nothing new is begun.
    Full,
}

impl Space {
    pub(crate) fn level(self) -> Level {
        let Self { total, free } = self;
        if total == 0 {
            // Nothing is known.
            Level::Enough
        } else if free < total / 50 {
            Level::Full
        } else if free < total / 10 || free < LOW_BYTES {
            Level::Low
        } else {
            Level::Enough
        }
    }

    fn of(folder: &Path) -> std::io::Result<Self> {
        let found = rustix::fs::statvfs(folder)?;
        Ok(Self {
            total: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bavail.saturating_mul(found.f_frsize),
        })
    }
}

/// The last look.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    total: AtomicU64,
    free: AtomicU64,
    level: AtomicU8,
}

impl Disk {
    pub(crate) fn new(folder: PathBuf) -> Self {
        let level = AtomicU8::new(Level::Enough as u8);
        let this = Self { folder, total: AtomicU64::new(0), free: AtomicU64::new(0), level };
        this.look();
        this
    }

    pub(crate) fn space(&self) -> Space {
        Space { total: self.total.load(Ordering::Relaxed), free: self.free.load(Ordering::Relaxed) }
    }

    /// Refuses what would begin something new while the disk is full.
    pub(crate) fn check_new_work(&self) -> Result<()> {
        if self.level.load(Ordering::Relaxed) < Level::Full as u8 {
            return Ok(());
        }
        Err(Error::new(
            ErrorCode::Unavailable,
            "the server's disk is full: nothing new is begun until the operator frees space; what runs is finished",
        ))
    }

    fn look(&self) {
        let space = match Space::of(&self.folder) {
            Ok(space) => space,
            Err(cause) => {
                tracing::warn!(%cause, folder = %self.folder.display(), "free space cannot be told");
                return;
            }
        };
        self.total.store(space.total, Ordering::Relaxed);
        self.free.store(space.free, Ordering::Relaxed);
        let level = space.level();
        if self.level.swap(level as u8, Ordering::Relaxed) != level as u8 {
            self.tell(level, space);
        }
    }

    fn tell(&self, level: Level, Space { total, free }: Space) {
        let folder = self.folder.display();
        match level {
            Level::Enough => tracing::info!(%folder, free, total, "there is enough space on the disk again"),
            Level::Low => tracing::warn!(%folder, free, total, "the disk is nearly full; free space, or extend it"),
            Level::Full => {
                tracing::error!(%folder, free, total, "the disk is full: nothing new is begun until there is space");
            }
        }
    }
}

/// Looks again and again, until told to stop.
pub(crate) async fn watch(server: Arc<Server>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(EACH) => server.disk.look(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * 1024 * 1024;

    #[test]
    fn a_disk_is_low_under_a_tenth_or_two_gib_and_full_under_a_fiftieth() {
        for (total, free, level) in [
            (100 * GIB, 50 * GIB, Level::Enough),
            (100 * GIB, 10 * GIB, Level::Enough),
            (100 * GIB, 9 * GIB, Level::Low),
            (10 * GIB, 3 * GIB / 2, Level::Low),
            (100 * GIB, 2 * GIB, Level::Low),
            (100 * GIB, 2 * GIB - 1, Level::Full),
            (GIB, 0, Level::Full),
            (0, 0, Level::Enough),
        ] {
            assert_eq!(Space { total, free }.level(), level, "{free} of {total}");
        }
    }

    #[test]
    fn nothing_new_is_begun_on_a_full_disk() {
        let folder = tempfile::tempdir().unwrap();
        let disk = Disk::new(folder.path().to_owned());
        assert!(disk.space().total > 0);
        disk.level.store(Level::Low as u8, Ordering::Relaxed);
        assert!(disk.check_new_work().is_ok());
        disk.level.store(Level::Full as u8, Ordering::Relaxed);
        assert_eq!(disk.check_new_work().unwrap_err().code(), ErrorCode::Unavailable);
    }
}
