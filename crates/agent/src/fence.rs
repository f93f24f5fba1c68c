//! The fence of a target: nobody with a lower epoch than the highest known there changes anything, and two
//! agents of one host are never in a step at once. It lies beside the stickers.

use std::{
    fs::{File, OpenOptions},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use plimsoll_protocol::agent::report::{TaskError, TaskErrorCode};

use crate::fs::{self as files, Access};

/// The fence of one target.
#[derive(Clone, Debug)]
pub struct Fence {
    directory: PathBuf,
}

/// Held while a step is done; the lock goes with it.
#[derive(Debug)]
pub struct Passage {
    _lock: File,
}

#[derive(Serialize, Deserialize)]
struct Mark {
    epoch: u64,
}

/// Longer than any step holds the lock.
const PATIENCE: Duration = Duration::from_mins(2);
const RETRY: Duration = Duration::from_millis(100);

impl Fence {
    /// The fence in a target's directory, which is made when absent.
    pub fn open(directory: &Path) -> Result<Self, TaskError> {
        files::make_directory(directory, Access::Public).map_err(|cause| unusable(directory, &cause))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// The highest epoch that was at work here; 0 for none.
    pub fn epoch(&self) -> Result<u64, TaskError> {
        let path = self.mark();
        let content = files::read(&path, 1024).map_err(|cause| unusable(&path, &cause))?;
        let Some(content) = content else { return Ok(0) };
        let mark: Mark = serde_json::from_slice(&content)
            .map_err(|cause| unusable(&path, &io::Error::new(io::ErrorKind::InvalidData, cause)))?;
        Ok(mark.epoch)
    }

    /// Enters a step at `epoch`. `found` is the highest epoch among the target's containers. Waits for
    /// another agent of the host to leave its step.
    pub async fn enter(&self, epoch: u64, found: u64) -> Result<Passage, TaskError> {
        let lock = self.lock().await?;
        let marked = self.epoch()?;
        let highest = marked.max(found);
        if highest > epoch {
            let message = format!("epoch {highest} is in force on the target; this task has {epoch}");
            return Err(
                TaskError::new(TaskErrorCode::StaleEpoch, message).hint("nothing to do: a newer task rules the target")
            );
        }
        if marked < epoch {
            let path = self.mark();
            let mark = format!("{{\"epoch\":{epoch}}}\n");
            files::replace(&path, mark.as_bytes(), Access::Public).map_err(|cause| unusable(&path, &cause))?;
        }
        Ok(Passage { _lock: lock })
    }

    async fn lock(&self) -> Result<File, TaskError> {
        let path = self.directory.join("fence.lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|cause| unusable(&path, &cause))?;
        let give_up = Instant::now() + PATIENCE;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(file),
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) if Instant::now() < give_up => {
                    tokio::time::sleep(RETRY).await;
                }
                Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {
                    return Err(TaskError::new(
                        TaskErrorCode::TargetBusy,
                        format!("another agent holds {} for more than {} s", path.display(), PATIENCE.as_secs()),
                    )
                    .hint("look which other agent on this host serves the same target, and stop one of them"));
                }
                Err(cause) => return Err(unusable(&path, &cause.into())),
            }
        }
    }

    fn mark(&self) -> PathBuf {
        self.directory.join("fence.json")
    }
}

fn unusable(path: &Path, cause: &io::Error) -> TaskError {
    TaskError::new(TaskErrorCode::AgentDefect, format!("{} can't be used: {cause}", path.display()))
        .hint("look at the disk's space and at the file's owner")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_lower_epoch_never_passes_again() {
        let dir = tempfile::tempdir().unwrap();
        let fence = Fence::open(dir.path()).unwrap();
        drop(fence.enter(5, 0).await.unwrap());
        drop(fence.enter(5, 5).await.unwrap());
        drop(fence.enter(7, 5).await.unwrap());
        assert_eq!(fence.enter(6, 0).await.unwrap_err().code, TaskErrorCode::StaleEpoch);
        assert_eq!(fence.enter(8, 9).await.unwrap_err().code, TaskErrorCode::StaleEpoch, "a container is newer");
        assert_eq!(Fence::open(dir.path()).unwrap().epoch().unwrap(), 7, "it is on disk");
    }

    #[tokio::test(start_paused = true)]
    async fn two_are_never_inside() {
        let dir = tempfile::tempdir().unwrap();
        let fence = Fence::open(dir.path()).unwrap();
        let first = fence.enter(1, 0).await.unwrap();
        assert_eq!(fence.enter(1, 0).await.unwrap_err().code, TaskErrorCode::TargetBusy);
        drop(first);
        fence.enter(1, 0).await.unwrap();
    }
}
