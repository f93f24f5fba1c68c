//! The plimsoll-agent binary: the agent alone, small.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use plimsoll_agent::command::{AgentCommand, execute};

/// Plimsoll's agent: deploys what a Plimsoll server signed, on this host.
#[derive(Debug, Parser)]
#[command(name = "plimsoll-agent", version)]
struct Arguments {
    #[command(subcommand)]
    command: AgentCommand,
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    // Hidden: the agent itself starts it, for each process of `process_host`.
    if words.next().as_deref() == Some("supervise") {
        return plimsoll_agent::supervise::main(words);
    }
    match execute(Arguments::parse().command, Vec::new()) {
        Ok(code) => code,
        Err(error) => {
            // Nothing more can be said when even that fails.
            _ = writeln!(io::stderr(), "plimsoll-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
