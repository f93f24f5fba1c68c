//! The commands, one file for each noun.

mod api;
mod completion;
mod context;
mod demo;
mod evidence;
mod file;
mod login;
mod serve;
mod sticker;
mod version;

use std::process::ExitCode;

use clap::Subcommand;
use clap_complete::Shell;

use crate::{
    Done,
    args::{Arguments, Connect, Evidence, StickerCommand},
    client::{Client, context::Reach},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// Everything that `plimsoll` does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a server
    Serve(Box<serve::Serve>),
    /// Sign in with a browser, on this machine or another
    #[command(before_help = "Examples:\n  plimsoll login https://plimsoll.example.com")]
    Login {
        /// The server; the one in use when absent
        server: Option<String>,
    },
    /// Forget the sign-in of the context in use
    Logout,
    /// Servers and sign-ins under names
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Make any call of the API by hand
    Api(api::Api),
    /// Show what Plimsoll does, on this machine, in a minute
    Demo(demo::Demo),
    /// Check and replay evidence, offline
    #[command(subcommand)]
    Evidence(Evidence),
    /// Check version stickers, offline
    #[command(subcommand)]
    Sticker(StickerCommand),
    /// Print a shell's completion script
    #[command(before_help = "Examples:\n  plimsoll completion bash > /etc/bash_completion.d/plimsoll")]
    Completion {
        /// For which shell
        shell: Shell,
    },
    /// Print the program's version
    Version,
    /// The agent's own: holds a process of a host's target
    #[command(hide = true)]
    Supervise {
        /// Where its state is
        #[arg(long, value_name = "DIR")]
        directory: String,
    },
}

/// Does what the arguments say.
pub(crate) fn run(arguments: Arguments, printer: &Printer) -> ExitCode {
    // A supervisor outlives us and starts no threads of its own.
    if let Command::Supervise { directory } = arguments.command {
        return plimsoll_agent::supervise::main(["--directory".to_owned(), directory]);
    }
    match done(arguments.command, &arguments.connect, printer) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

fn done(command: Command, connect: &Connect, printer: &Printer) -> Done {
    match command {
        Command::Login { server } => wait(login::login(server, connect, printer)),
        Command::Logout => login::logout(connect, printer),
        Command::Context(command) => context::run(command, printer),
        Command::Api(command) => wait(async { api::run(command, &client(connect)?, printer).await }),
        Command::Serve(command) => wait(serve::run(*command, printer)),
        Command::Demo(command) => wait(demo::run(command)),
        Command::Evidence(command) => evidence::run(command, printer),
        Command::Sticker(StickerCommand::Verify(what)) => sticker::verify(&what, printer),
        Command::Completion { shell } => completion::run(shell, printer),
        Command::Version => version::run(printer),
        // Done above.
        Command::Supervise { .. } => Ok(Exit::Usage),
    }
}

fn client(connect: &Connect) -> Result<Client, Failure> {
    Client::new(Reach::find(connect)?)
}

/// On a runtime of its own; what needs none (verification, a supervisor) does without.
fn wait(work: impl Future<Output = Done>) -> Done {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|cause| Failure::system(format!("the program cannot start its threads: {cause}")))?
        .block_on(work)
}
