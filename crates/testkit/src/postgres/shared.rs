//! The server that all tests of a run share. Under nextest every test is a process, so they meet in a folder.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};

use super::server;
use crate::{PATIENCE, eventually, free_port, program};

/// Who the tests of one run have in common: the runner, or under plain `cargo test` the process itself.
struct Run {
    id: String,
    /// The server ends with this process.
    pid: u32,
}

impl Run {
    fn current() -> Self {
        match std::env::var("NEXTEST_RUN_ID") {
            Ok(id) => Self { id, pid: std::os::unix::process::parent_id() },
            Err(_) => Self { id: std::process::id().to_string(), pid: std::process::id() },
        }
    }
}

/// The folder and the port of this run's server, which is started if need be.
pub fn join() -> Result<(PathBuf, u16)> {
    let run = Run::current();
    let folder = server::place().join(format!("plimsoll-postgres-{}", run.id));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    let port_file = folder.join("port");
    if let Ok(port) = std::fs::read_to_string(&port_file) {
        return Ok((folder, port.parse()?));
    }
    let port = free_port()?;
    server::make(&folder)?;
    start(&folder, port, run.pid)?;
    std::fs::write(&port_file, port.to_string())?;
    Ok((folder, port))
}

/// Starts the server and beside it a watcher, both in a session of their own: the test that starts them ends before them.
fn start(folder: &Path, port: u16, run: u32) -> Result<()> {
    let server = server::command(folder, port)?;
    let words: Vec<String> = std::iter::once(server.get_program())
        .chain(server.get_args())
        .map(|word| program::quoted(Path::new(word)))
        .collect();
    let folder_word = program::quoted(folder);
    let watch = format!(
        "{} & server=$!; tail --pid={run} -f /dev/null; kill -QUIT $server; wait $server; rm -rf {folder_word}",
        words.join(" "),
    );
    let log = File::create(folder.join("postgres.log"))?;
    Command::new(program::find("setsid")?)
        .args(["bash", "-c", &watch])
        .stdin(Stdio::null())
        .stderr(log.try_clone()?)
        .stdout(log)
        .spawn()
        .context("cannot start PostgreSQL")?;
    eventually("PostgreSQL answers", PATIENCE, || server::answers(port)).with_context(|| {
        format!("its log: {}", std::fs::read_to_string(folder.join("postgres.log")).unwrap_or_default())
    })
}
