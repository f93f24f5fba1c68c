//! The commands, one file for each noun.

mod admin;
mod agent;
mod api;
pub(crate) mod completion;
mod context;
mod demo;
mod evidence;
mod file;
mod inventory;
mod job;
mod login;
mod logs;
mod names;
mod nouns;
mod parts;
mod promotion;
mod release;
pub(crate) mod resource;
mod serve;
mod sticker;
mod telemetry;
mod version;
mod view;
mod wait;

use std::process::ExitCode;

use clap::Subcommand;
use plimsoll_agent::command::AgentCommand;

use resource::Verb;

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
    Login {
        /// The server; the one in use when absent
        server: Option<String>,
    },
    /// Forget the sign-in of the context in use
    Logout,
    /// Servers and sign-ins under names
    #[command(subcommand)]
    Context(context::ContextCommand),
    /// Run an agent on this host, or enrol it
    #[command(subcommand)]
    Agent(AgentCommand),
    /// Help users back in, on the server's host
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Registries and other outside systems
    #[command(subcommand)]
    Integration(inventory::IntegrationCommand),
    /// What can be deployed
    #[command(subcommand)]
    Component(release::ComponentCommand),
    /// Sealed sets of component versions
    #[command(subcommand)]
    Release(release::ReleaseCommand),
    /// Environments
    #[command(subcommand)]
    Env(Verb),
    /// Hosts; named NAME or ENV/NAME
    #[command(subcommand)]
    Target(Verb),
    /// The agents that are enrolled
    #[command(subcommand)]
    Agents(inventory::AgentsCommand),
    /// Bring a release into an environment
    Promote(promotion::Promote),
    /// Say yes to a promotion
    Approve(promotion::Decide),
    /// Say no to a promotion
    Reject(promotion::Decide),
    /// Promotions
    #[command(subcommand)]
    Promotion(promotion::PromotionCommand),
    /// Deployment jobs
    #[command(subcommand)]
    Job(job::JobCommand),
    /// What a job's tasks said
    Logs(logs::Logs),
    /// Bring an environment back to an earlier release
    Rollback(job::Rollback),
    /// Times when nothing may be promoted
    #[command(subcommand)]
    Freeze(inventory::FreezeCommand),
    /// Make any call of the API by hand
    Api(api::Api),
    /// Show what Plimsoll does, on this machine, in a minute
    Demo(demo::Demo),
    /// List and fetch evidence; check and replay it offline
    #[command(subcommand)]
    Evidence(Evidence),
    /// What runs on each target, signed: list it, read it back, check it offline
    #[command(subcommand)]
    Sticker(StickerCommand),
    /// What shells complete, with live names; manual pages
    #[command(subcommand)]
    Completion(completion::CompletionCommand),
    /// Print the program's version
    Version,
    /// The demo's own: a registry that is told over its standard input what to hold
    #[command(name = crate::demo::parts::registry::SUBCOMMAND, hide = true)]
    DemoRegistry,
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
    let command = match arguments.command {
        Command::Agent(command) => return agent::run(command, printer),
        other => other,
    };
    match done(command, &arguments.connect, printer) {
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
        Command::Evidence(Evidence::Stored(command)) => {
            wait(async { evidence::stored(command, &client(connect)?, printer).await })
        }
        Command::Integration(command) => {
            wait(async { inventory::integration(command, &client(connect)?, printer).await })
        }
        Command::Component(command) => wait(async { release::component(command, &client(connect)?, printer).await }),
        Command::Release(command) => wait(async { release::release(command, &client(connect)?, printer).await }),
        Command::Env(verb) => wait(async { nouns::ENVIRONMENT.run(verb, &client(connect)?, printer).await }),
        Command::Target(verb) => wait(async { inventory::target(verb, &client(connect)?, printer).await }),
        Command::Agents(command) => wait(async { nouns::AGENT.run(command.into(), &client(connect)?, printer).await }),
        Command::Promote(command) => wait(async { promotion::promote(command, &client(connect)?, printer).await }),
        Command::Approve(command) => wait(async { promotion::approve(command, &client(connect)?, printer).await }),
        Command::Reject(command) => wait(async { promotion::reject(command, &client(connect)?, printer).await }),
        Command::Promotion(command) => wait(async { promotion::promotion(command, &client(connect)?, printer).await }),
        Command::Job(command) => wait(async { job::job(command, &client(connect)?, printer).await }),
        Command::Logs(command) => wait(async { logs::logs(command, &client(connect)?, printer).await }),
        Command::Rollback(command) => wait(async { job::rollback(command, &client(connect)?, printer).await }),
        Command::Freeze(command) => wait(async { inventory::freeze(command, &client(connect)?, printer).await }),
        Command::Api(command) => wait(async { api::run(command, &client(connect)?, printer).await }),
        Command::Admin(command) => wait(admin::run(command, printer)),
        Command::Serve(command) => wait(serve::run(*command, printer)),
        Command::Demo(command) => wait(demo::run(command, printer)),
        Command::DemoRegistry => wait(async {
            let ended = crate::demo::parts::registry::run().await;
            ended.map(|()| Exit::Ok).map_err(|cause| Failure::system(format!("{cause:#}")))
        }),
        Command::Evidence(Evidence::Offline(command)) => evidence::run(command, printer),
        Command::Sticker(StickerCommand::Verify(what)) => sticker::verify(&what, printer),
        Command::Sticker(StickerCommand::Stored(command)) => {
            wait(async { sticker::stored(command, &client(connect)?, printer).await })
        }
        Command::Completion(command) => completion::run(command, printer),
        Command::Version => version::run(printer),
        // Done above.
        Command::Agent(_) | Command::Supervise { .. } => Ok(Exit::Usage),
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
