//! The supervisor of one process of `process_host`: a program of its own (`plimsoll-agent supervise`), so
//! that what it runs outlives the agent. It starts the process, restarts it as told, and keeps a state file
//! by which the agent finds both again.

mod child;
mod identity;
mod output;
mod run;
mod state;

pub use identity::{ProcessId, boot_id};
pub use state::{Control, Phase, Spec, State, StdinSecrets, Workdir};

use std::{path::PathBuf, process::ExitCode};

/// The hidden subcommand: `supervise --directory DIR`, with [`StdinSecrets`] as JSON on standard input.
/// `arguments` are those after the word `supervise`.
pub fn main(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    // Its standard error is the file `supervisor.log` in its directory.
    _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).try_init();
    match directory(arguments).and_then(|directory| run::supervise(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn directory(arguments: impl IntoIterator<Item = String>) -> anyhow::Result<PathBuf> {
    let arguments: Vec<String> = arguments.into_iter().collect();
    match arguments.as_slice() {
        [flag, directory] if flag == "--directory" => Ok(PathBuf::from(directory)),
        _ => anyhow::bail!("`supervise` is the agent's own; it takes --directory DIR"),
    }
}
