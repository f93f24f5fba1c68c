//! `plimsoll demo`: a whole estate on this machine, told step by step.

use clap::Args;

use crate::{
    Done,
    demo::{self, Ending, Leftovers, Outcome, Targets},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// Flags of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// End after the story
    #[arg(long)]
    once: bool,
    /// Leave the files behind: logs, evidence, database
    #[arg(long)]
    keep: bool,
    /// What releases run on
    #[arg(long, value_enum, default_value_t)]
    targets: Targets,
}

pub(crate) async fn run(command: Demo, printer: &Printer) -> Done {
    let ending = if command.once { Ending::Once } else { Ending::Serve };
    let leftovers = if command.keep { Leftovers::Keep } else { Leftovers::Wipe };
    match demo::run(ending, leftovers, command.targets, printer).await {
        Ok(Outcome::Told) => Ok(Exit::Ok),
        Ok(Outcome::Interrupted) => Ok(Exit::Interrupted),
        Err(cause) => {
            let failure = Failure::new(Exit::WorkFailed, "DEMO_FAILED", format!("{cause:#}"));
            Err(match leftovers {
                Leftovers::Keep => failure,
                Leftovers::Wipe => failure.hint("run it again with --keep: logs and database then stay"),
            })
        }
    }
}
