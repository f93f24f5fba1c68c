//! `plimsoll demo`: a whole estate on this machine, told step by step.

use clap::Args;

use crate::{
    Done,
    demo::{self, Ending, Leftovers},
    exit::Exit,
    failure::Failure,
};

/// Flags of `demo`.
#[derive(Args, Debug)]
#[command(
    before_help = "Examples:\n  plimsoll demo          tell the story, then serve until Ctrl-C\n  plimsoll demo --once   end after the story; exit 0 only if every step went as it should"
)]
pub(crate) struct Demo {
    /// End after the story
    #[arg(long)]
    once: bool,
    /// Leave the data behind
    #[arg(long)]
    keep: bool,
}

pub(crate) async fn run(command: Demo) -> Done {
    let ending = if command.once { Ending::Once } else { Ending::Serve };
    let leftovers = if command.keep { Leftovers::Keep } else { Leftovers::Wipe };
    match demo::run(ending, leftovers).await {
        Ok(()) => Ok(Exit::Ok),
        Err(cause) => Err(Failure::new(Exit::WorkFailed, "DEMO_FAILED", format!("{cause:#}"))),
    }
}
