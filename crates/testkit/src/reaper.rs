//! What is still to be taken away when a test is killed before it could.
//!
//! The reaper is a shell at the other end of a pipe, in a session of its own. It holds the jobs that are open; when
//! the pipe breaks because this process is gone, whatever the reason, it does them, the newest first.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{ChildStdin, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use anyhow::{Context, Result, ensure};

use crate::program;

const SHELL: &str = r#"
declare -A jobs; order=()
while read -r verb id job; do
  case $verb in
    add) jobs[$id]=$job; order+=("$id") ;;
    drop) unset "jobs[$id]" ;;
  esac
done
for ((i = ${#order[@]} - 1; i >= 0; i--)); do
  job=${jobs[${order[i]}]-}
  [ -z "$job" ] || bash -c "$job"
done
"#;

static PIPE: Mutex<Option<ChildStdin>> = Mutex::new(None);
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A job for the reaper; dropping it takes the job back.
#[derive(Debug)]
pub struct Job(u64);

impl Job {
    /// A shell command, in one line, to be run if this process ends before the job is dropped.
    pub fn new(command: &str) -> Result<Self> {
        ensure!(!command.contains('\n'), "a job for the reaper is one line: {command:?}");
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        tell(&format!("add {id} {command}\n"))?;
        Ok(Self(id))
    }

    /// Kills the process `pid`.
    pub fn kill(pid: u32) -> Result<Self> {
        Self::new(&format!("kill -9 {pid}"))
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // It fails only when the reaper is gone, and the job with it.
        let _ = tell(&format!("drop {}\n", self.0));
    }
}

/// Something to be taken away by one shell command: when this is dropped, or by the reaper.
#[derive(Debug)]
pub struct Cleanup {
    command: String,
    _job: Job,
}

impl Cleanup {
    /// `command` is one line, and may run when part of its work is done already.
    pub fn new(command: String) -> Result<Self> {
        Ok(Self { _job: Job::new(&command)?, command })
    }
}

impl Drop for Cleanup {
    fn drop(&mut self) {
        let _ = Command::new("bash").args(["-c", &self.command]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}

/// A new folder for a part's files; gone when dropped, or by the reaper.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _cleanup: Cleanup,
}

impl Folder {
    /// A folder whose name begins with `plimsoll-<name>-`, in `place`.
    pub fn new(name: &str, place: &Path) -> Result<Self> {
        let path = tempfile::Builder::new().prefix(&format!("plimsoll-{name}-")).tempdir_in(place)?.keep();
        let cleanup = Cleanup::new(format!("rm -rf {}", program::quoted(&path)))?;
        Ok(Self { path, _cleanup: cleanup })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn tell(line: &str) -> Result<()> {
    let mut pipe = PIPE.lock().unwrap_or_else(PoisonError::into_inner);
    if pipe.is_none() {
        *pipe = Some(start()?);
    }
    pipe.as_mut().context("the reaper is there")?.write_all(line.as_bytes()).context("the reaper is gone")
}

fn start() -> Result<ChildStdin> {
    let mut child = Command::new(program::find("setsid")?)
        .args(["bash", "-c", SHELL, "plimsoll-test-reaper"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start the reaper")?;
    child.stdin.take().context("the reaper has a pipe")
}
