//! The processes under load, and what the kernel says of them.

use std::{
    fs::File,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use plimsoll_testkit::reaper::Job;
use rustix::process::{Pid, Signal};

use crate::load::{Connection, get};

/// For a process to be ready or gone.
const PATIENCE: Duration = Duration::from_mins(2);

/// USER_HZ: the kernel counts processor time in hundredths of a second on every architecture that we build for.
const TICKS: f64 = 100.0;

/// A binary of the same build: beside the folder in which Cargo puts this program. The agent that is shipped is built
/// in a profile of its own.
pub fn binary(name: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().and_then(Path::parent).context("this program lies in no build folder")?;
    let path = match (name, folder.ends_with("release")) {
        ("plimsoll-agent", true) => folder.with_file_name("small").join(name),
        _ => folder.join(name),
    };
    ensure!(path.is_file(), "{} is not built: `make bench` builds it", path.display());
    Ok(path)
}

/// A process that ends with this one.
pub struct Running {
    child: Child,
    log: PathBuf,
    _reaped: Job,
}

impl Running {
    pub fn spawn(command: &mut Command, log: &Path) -> Result<Self> {
        let out = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let reaped = Job::kill(child.id())?;
        Ok(Self { child, log: log.to_owned(), _reaped: reaped })
    }

    /// Waits until `path` is answered with 200; how long that took from `begun` on.
    pub async fn ready(&mut self, address: SocketAddr, path: &str, begun: Instant) -> Result<Duration> {
        loop {
            if let Ok(mut connection) = Connection::open(address).await
                && let Ok(200) = connection.call(&get(path, None)).await
            {
                return Ok(begun.elapsed());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("the process ended with {status}: {}", self.tail());
            }
            ensure!(begun.elapsed() < PATIENCE, "the process is not ready: {}", self.tail());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Processor time used so far, in seconds.
    pub fn processor_seconds(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The name in parentheses may hold anything; what counts comes behind it.
        let fields: Vec<&str> = stat.rsplit_once(')').context("no process statistics")?.1.split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("too few fields")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / TICKS)
    }

    /// Memory in use (resident, and the part that is not a file's), in MB of a million bytes.
    pub fn memory(&self) -> Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let value = |name: &str| -> Result<f64> {
            let line = status.lines().find(|line| line.starts_with(name)).context("no such line")?;
            let kilobytes: f64 = line.split_whitespace().nth(1).context("no number")?.parse()?;
            Ok(kilobytes * 1024.0 / 1e6)
        };
        Ok((value("VmRSS:")?, value("RssAnon:")?))
    }

    /// The end of what it said.
    pub fn tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }

    /// Asks it to end and waits.
    pub fn stop(mut self) -> Result<()> {
        let pid = Pid::from_raw(self.child.id().try_into()?).context("a process id is not zero")?;
        rustix::process::kill_process(pid, Signal::TERM)?;
        let begun = Instant::now();
        while self.child.try_wait()?.is_none() {
            if begun.elapsed() > PATIENCE {
                self.child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that ended already cannot be killed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
