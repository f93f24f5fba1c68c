//! The server: `plimsoll serve` as a process, on SQLite in the demo's folder.

use std::{path::Path, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{Part, Parts, command};

/// A first start makes its database and keys.
const START: Duration = Duration::from_mins(1);
/// Two seconds: a lost agent is known to be lost after twelve.
const HEARTBEAT_SECONDS: &str = "2";
const LEASE_SECONDS: &str = "15";

/// The file with the first administrator's password, until the server has read it.
const PASSWORD: &str = "admin-password";

/// What it is started with.
pub(crate) fn arguments(folder: &Path) -> Vec<String> {
    let place = |name: &str| folder.join(name).display().to_string();
    let fixed = [
        ["serve", "--listen", "127.0.0.1:0", "--allow-process-hosts", "--log", "info"].as_slice(),
        &["--outbound-allow", "127.0.0.0/8"],
        &["--heartbeat-seconds", HEARTBEAT_SECONDS, "--lease-seconds", LEASE_SECONDS],
    ];
    let mut all: Vec<String> = fixed.concat().into_iter().map(str::to_owned).collect();
    all.extend(["--data-directory".to_owned(), place("server")]);
    all.extend(["--admin-password-file".to_owned(), place(PASSWORD)]);
    all
}

/// Starts it and gives its address. The first administrator's password is `password`.
pub(crate) async fn start(parts: &Parts, password: &str) -> Result<String> {
    let folder = parts.folder();
    let secret = folder.join(PASSWORD);
    std::fs::write(&secret, password).with_context(|| format!("{} cannot be written", secret.display()))?;
    let mut command = command(folder)?;
    command.args(arguments(folder)).stdout(Stdio::piped());
    let mut part = Part::spawn("server", &mut command, folder)?;
    let output = part.child().stdout.take().context("the server has no output")?;
    let mut lines = BufReader::new(output).lines();
    let first = tokio::time::timeout(START, lines.next_line()).await;
    let Ok(Ok(Some(url))) = first else {
        bail!("the server did not start; it said:\n{}", part.last_lines(10));
    };
    std::fs::remove_file(&secret).context("the password's file cannot be removed")?;
    parts.add(part)?;
    Ok(url.trim().to_owned())
}
