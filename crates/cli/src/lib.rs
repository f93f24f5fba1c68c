//! The commands of `plimsoll`.

mod args;
mod client;
mod commands;
pub mod demo;
mod examples;
pub mod exit;
mod failure;
mod output;

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{exit::Exit, failure::Failure, output::Printer};

/// Reads the arguments, does what they say and tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    let read = examples::add(args::Arguments::command()).try_get_matches();
    let arguments = match read.and_then(|matches| args::Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let printer = Printer::new(&arguments.global);
    commands::run(arguments, &printer)
}

/// Help goes to standard output and is no failure.
fn usage(error: &clap::Error) -> ExitCode {
    // Nobody reads it when this fails.
    drop(error.print());
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

/// What a command gives back.
pub(crate) type Done = Result<Exit, Failure>;
