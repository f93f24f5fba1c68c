//! The commands of `plimsoll`.

mod args;
mod client;
mod commands;
pub mod demo;
mod examples;
pub mod exit;
mod failure;
mod output;
mod raw;
mod signals;

use std::{ffi::OsString, process::ExitCode};

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::{exit::Exit, failure::Failure, output::Printer};

/// Reads the arguments, does what they say and tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    match commands::completion::answered(&words) {
        Ok(false) => {}
        Ok(true) => return Exit::Ok.into(),
        Err(error) => return usage(&error, &words),
    }
    let read = examples::add(args::Arguments::command()).try_get_matches_from(&words);
    let arguments = match read.and_then(|matches| args::Arguments::from_arg_matches(&matches)) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, &words),
    };
    let printer = Printer::new(&arguments.global);
    commands::run(arguments, &printer)
}

/// Whether these words, the program's name first, are a command that can be typed; an error says why not. What is
/// printed and written about the commands is held against it.
///
/// # Errors
/// What the person would be told.
pub fn understands(words: &[String]) -> Result<(), String> {
    match examples::add(args::Arguments::command()).try_get_matches_from(words) {
        Ok(matches) => args::Arguments::from_arg_matches(&matches).map(drop).map_err(|error| error.to_string()),
        // Help, or the version.
        Err(error) if !error.use_stderr() => Ok(()),
        Err(error) => Err(error.to_string()),
    }
}

/// Help goes to standard output and is no failure.
fn usage(error: &clap::Error, words: &[OsString]) -> ExitCode {
    if error.use_stderr() && raw::wants_json(words) {
        let failure = raw::failure(error);
        output::complain_in_json(&failure);
        return failure.exit.into();
    }
    // Nobody reads it when this fails.
    drop(error.print());
    if error.use_stderr() { Exit::Usage.into() } else { Exit::Ok.into() }
}

/// What a command gives back.
pub(crate) type Done = Result<Exit, Failure>;
