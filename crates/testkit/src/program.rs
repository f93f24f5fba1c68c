//! The programs that the parts are made of.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

/// The version of PostgreSQL that the tests are for, before any other on the path.
const FIRST: &str = "/usr/lib/postgresql/15/bin";
/// What is not on everybody's path.
const LAST: &[&str] = &["/usr/sbin", "/sbin"];

/// Finds a program, or says how to get it.
pub fn find(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(PathBuf::from(FIRST))
        .chain(std::env::split_paths(&path))
        .chain(LAST.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} is not installed here; scripts/install-test-parts installs it or says how"))
}

/// Where `scripts/install-test-parts` put the Python libraries of the tests.
pub fn python_libraries() -> PathBuf {
    let of_home = || std::env::home_dir().unwrap_or_default().join(".cache");
    std::env::var_os("XDG_CACHE_HOME").map_or_else(of_home, PathBuf::from).join("plimsoll/python")
}

/// Runs a program to its end and returns what it printed. What it complained about is in the error.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !output.status.success() {
        let (said, complaint) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        bail!("{command:?} ended with {}: {}{}", output.status, said.trim(), complaint.trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// [`output`] of a program with its arguments.
pub fn run(name: &str, arguments: &[&str]) -> Result<String> {
    output(Command::new(find(name)?).args(arguments))
}

/// Says why the parts that need root cannot be had.
pub fn ensure_root(what: &str) -> Result<()> {
    ensure!(is_root(), "{what} needs root: run the tests as root, in a container or a virtual machine if you like");
    Ok(())
}

/// Whether this process may do anything.
#[must_use]
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A word in a shell command.
#[must_use]
pub fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
