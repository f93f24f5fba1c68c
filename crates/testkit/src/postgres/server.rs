//! One PostgreSQL server on files of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
};

use anyhow::Result;
use rustix::process::Signal;

use crate::{
    PATIENCE, Process, free_port,
    program::{self, find, is_root},
    reaper::Folder,
};

/// Nothing is kept beyond the run, so nothing waits for a disk.
const SETTINGS: &[&str] = &[
    "fsync=off",
    "full_page_writes=off",
    "max_connections=300",
    "max_wal_size=256MB",
    "shared_buffers=64MB",
    "listen_addresses=127.0.0.1",
    "log_min_messages=warning",
    "log_line_prefix=%m %d %a ",
];

/// As in production: what is committed is on the disk.
const DURABLE: &[&str] =
    &["max_connections=300", "listen_addresses=127.0.0.1", "log_min_messages=warning", "log_line_prefix=%m %d %a "];

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Process,
    folder: Folder,
    port: u16,
    settings: &'static [&'static str],
}

impl Server {
    /// A new server with nothing in it.
    pub(super) fn start() -> Result<Self> {
        Self::new(&place(), SETTINGS)
    }

    /// The same with its files in `place`, and every commit flushed to them.
    pub(super) fn durable(place: &Path) -> Result<Self> {
        Self::new(place, DURABLE)
    }

    fn new(place: &Path, settings: &'static [&'static str]) -> Result<Self> {
        let folder = Folder::new("postgres", place)?;
        let port = free_port()?;
        make(folder.path())?;
        let process = spawn(folder.path(), port, settings)?;
        Ok(Self { process, folder, port, settings })
    }

    /// Where its files are.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, as a crash would: connections break, what was committed stays.
    pub fn crash(&mut self) -> Result<ExitStatus> {
        self.process.signal(Signal::QUIT)?;
        self.process.wait(PATIENCE)
    }

    /// Starts it again on its files and its port.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = spawn(self.folder.path(), self.port, self.settings)?;
        Ok(())
    }

    /// Its process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }
}

/// Where servers have their files: in memory where there is enough, which makes a new database four times as fast.
pub(super) fn place() -> PathBuf {
    const ENOUGH: u64 = 4 << 30;
    let memory = Path::new("/dev/shm");
    match rustix::fs::statvfs(memory) {
        Ok(free) if free.f_bavail * free.f_frsize >= ENOUGH => memory.to_owned(),
        _ => std::env::temp_dir(),
    }
}

/// Makes the files of a server in `folder`.
pub(super) fn make(folder: &Path) -> Result<()> {
    // The server refuses to run as root, and wants to own its files.
    std::fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let data = folder.join("data").display().to_string();
    if is_root() {
        program::run("install", &["-d", "-o", "postgres", "-g", "postgres", "-m", "700", &data])?;
    }
    let mut initdb = as_owner("initdb")?;
    initdb.args(["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
    initdb.args(["--no-sync", "--no-instructions"]);
    program::output(&mut initdb)?;
    Ok(())
}

/// The command that is a server for tests in `folder`.
pub(super) fn command(folder: &Path, port: u16) -> Result<Command> {
    command_with(folder, port, SETTINGS)
}

fn command_with(folder: &Path, port: u16, settings: &[&str]) -> Result<Command> {
    let data = folder.join("data");
    let mut command = as_owner("postgres")?;
    command.arg("-D").arg(&data).arg("-k").arg(&data).args(["-p", &port.to_string()]);
    for setting in settings {
        command.args(["-c", setting]);
    }
    Ok(command)
}

/// Whether it answers.
pub(super) fn answers(port: u16) -> bool {
    sql(port, "postgres", "SELECT 1").is_ok_and(|answer| answer == "1")
}

/// Runs SQL as the superuser.
pub(super) fn sql(port: u16, database: &str, sql: &str) -> Result<String> {
    program::output(
        Command::new(find("psql")?)
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"])
            .args(["--host=127.0.0.1", "--username=postgres", &format!("--port={port}")])
            .args([&format!("--dbname={database}"), &format!("--command={sql}")])
            .env("PGCONNECT_TIMEOUT", "10"),
    )
}

fn spawn(folder: &Path, port: u16, settings: &[&str]) -> Result<Process> {
    let mut process =
        Process::spawn(&mut command_with(folder, port, settings)?, "postgres", folder)?.stopped_by(Signal::QUIT);
    process.ready(|| answers(port))?;
    Ok(process)
}

fn as_owner(name: &str) -> Result<Command> {
    let program = find(name)?;
    if !is_root() {
        return Ok(Command::new(program));
    }
    let mut command = Command::new(find("setpriv")?);
    command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
    Ok(command)
}
