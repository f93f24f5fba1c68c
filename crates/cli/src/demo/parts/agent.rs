//! Agents: enrolled by a one-time token, then a process each.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use super::{Part, Parts, command};

/// Enrols an agent whose files lie in `data`, by the token in the file `token`; gives its id.
pub(crate) async fn enrol(parts: &Parts, server: &str, name: &str, token: &Path, data: &Path) -> Result<String> {
    let mut enrol = command(parts.folder())?;
    enrol.args(["agent", "enrol", "--server", server, "--name", name, "--data-dir"]).arg(data);
    enrol.arg("--token-file").arg(token);
    let output = enrol.output().await.with_context(|| format!("the agent {name} cannot be enrolled"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the agent {name} was not enrolled ({}): {said}", output.status);
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Starts an enrolled agent.
pub(crate) fn start(parts: &Parts, name: &str, data: &Path) -> Result<()> {
    let mut run = command(parts.folder())?;
    run.args(["agent", "run", "--data-dir"]).arg(data);
    parts.add(Part::spawn(&format!("agent-{name}"), &mut run, parts.folder())?)
}
