//! Checks without a server: the same program as a process that knows no address and no token.

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    api::{Person, list},
    host::Host,
    parts::command,
    stage::Stage,
};

/// The public key that the server gives out, in a file; a host that enrolled must know the same one.
pub(crate) async fn key(stage: &Stage, who: &Person, host: &Host) -> Result<PathBuf> {
    let keys = who.get("/evidence-keys").await?;
    let current = list(&keys).iter().find(|key| key["current"] == true);
    let pem = current.and_then(|key| key["publicKeyPem"].as_str()).context("the server has no key for evidence")?;
    let mut known = command(stage.parts.folder())?;
    let known = known.args(["agent", "keys", "--data-dir"]).arg(&host.agent_data).output().await?;
    ensure!(known.status.success(), "{} knows no key: {}", host.name, text(&known.stderr));
    ensure!(text(&known.stdout) == pem.trim(), "{} enrolled with another key than the server's", host.name);
    let file = stage.parts.folder().join("key.pem");
    std::fs::write(&file, pem).with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(file)
}

/// `plimsoll <noun> verify` must say yes; gives its first line.
pub(crate) async fn verified(stage: &Stage, noun: &str, file: &Path, key: &Path) -> Result<String> {
    let output = run(stage, &[noun, "verify"], file, key).await?;
    ensure!(output.status.success(), "{} is not verified: {}", file.display(), text(&output.stderr));
    Ok(first_line(&output.stdout))
}

/// `plimsoll <noun> verify` must say no; gives why.
pub(crate) async fn refused(stage: &Stage, noun: &str, file: &Path, key: &Path) -> Result<String> {
    let output = run(stage, &[noun, "verify"], file, key).await?;
    ensure!(output.status.code() == Some(1), "{} should be refused: {}", file.display(), text(&output.stdout));
    let said = first_line(&output.stderr);
    let name = file.display().to_string();
    Ok(said.replace(&name, "the packet"))
}

/// `plimsoll evidence replay` must come to the same decision; gives what it says.
pub(crate) async fn replayed(stage: &Stage, file: &Path, key: &Path) -> Result<String> {
    let output = run(stage, &["evidence", "replay"], file, key).await?;
    let (said, wrong) = (text(&output.stdout), text(&output.stderr));
    ensure!(output.status.success(), "{} is not decided alike: {said} {wrong}", file.display());
    Ok(first_line(&output.stdout))
}

async fn run(stage: &Stage, words: &[&str], file: &Path, key: &Path) -> Result<Output> {
    let mut command = command(stage.parts.folder())?;
    let output = command.args(words).arg(file).arg("--key").arg(key).output().await;
    output.with_context(|| format!("plimsoll {} cannot be run", words.join(" ")))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

fn first_line(bytes: &[u8]) -> String {
    text(bytes).lines().next().unwrap_or_default().to_owned()
}
