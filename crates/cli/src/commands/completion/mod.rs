//! `plimsoll completion`: what a shell needs to complete commands and names, and the manual pages.

mod man;
mod names;

use std::{ffi::OsString, path::PathBuf};

use clap::{CommandFactory as _, Subcommand};
use clap_complete::{CompleteEnv, env::Shells};

use crate::{Done, args::Arguments, examples, exit::Exit, failure::Failure, output::Printer};

/// Set by the script of a shell when it asks what may come next.
const VARIABLE: &str = "PLIMSOLL_COMPLETE";
const PROGRAM: &str = "plimsoll";
/// Bash would take `shop@2.4.1` for three words.
const BASH_WORDS: &str = "COMP_WORDBREAKS=${COMP_WORDBREAKS//@/}\n";

/// `completion`.
#[derive(Debug, Subcommand)]
pub(crate) enum CompletionCommand {
    /// Print the script for Bash
    Bash,
    /// Print the script for Zsh
    Zsh,
    /// Print the script for Fish
    Fish,
    /// Write the manual pages, one for each command
    Man {
        /// Where to; made when absent
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
    },
}

pub(super) fn run(command: CompletionCommand, printer: &Printer) -> Done {
    let script = match command {
        CompletionCommand::Bash => script("bash")? + BASH_WORDS,
        CompletionCommand::Zsh => script("zsh")?,
        CompletionCommand::Fish => script("fish")?,
        CompletionCommand::Man { dir } => {
            let count = man::write(&examples::add(Arguments::command()), &dir)?;
            printer.progress(&format!("{count} pages; read one with: man -M {} plimsoll", dir.display()));
            return Ok(Exit::Ok);
        }
    };
    printer.text(script.trim())?;
    Ok(Exit::Ok)
}

/// It asks this program each time, which knows the commands and asks the server for names.
fn script(shell: &str) -> Result<String, Failure> {
    let shells = Shells::builtins();
    let known = shells.completer(shell).ok_or_else(|| Failure::usage(format!("{shell:?} is not a known shell")))?;
    let mut script = Vec::new();
    known
        .write_registration(VARIABLE, PROGRAM, PROGRAM, PROGRAM, &mut script)
        .map_err(|cause| Failure::system(format!("the script cannot be made: {cause}")))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// Answers a shell that asks what may come next; `false` when none does. Called before anything else runs.
pub(crate) fn answered(words: &[OsString]) -> Result<bool, clap::Error> {
    let here = std::env::current_dir().ok();
    CompleteEnv::with_factory(|| names::add(Arguments::command(), words))
        .var(VARIABLE)
        .bin(PROGRAM)
        .try_complete(words.to_vec(), here.as_deref())
}
