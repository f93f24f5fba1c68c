//! `plimsoll admin`: on the server's host, for those whom no one else can let in.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_app::identity::{Account, HostAdministration};
use plimsoll_authority::secret::ExposeSecret as _;
use plimsoll_core::context::Context;
use plimsoll_server::{config::Layers, open_store};

use crate::{
    Done,
    exit::Exit,
    failure::Failure,
    output::{self, Printer},
};

/// The tenant of those who name none.
const HOME: &str = "default";

/// `admin`.
#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Give a user a password that is good once
    ResetPassword(Whom),
    /// Activate a user and forget failed attempts
    Unlock(Whom),
    /// Give a user the role admin in their tenant
    GrantAdmin(Whom),
}

/// Who, and in which database.
#[derive(Args, Debug)]
pub(crate) struct Whom {
    /// [TENANT/]USER
    user: String,
    /// The server's configuration file (TOML)
    #[arg(long, env = "PLIMSOLL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The server's data directory
    #[arg(long, value_name = "DIR")]
    data_directory: Option<String>,
    /// The server's PostgreSQL
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl Whom {
    fn open(self) -> Result<(HostAdministration, Account), Failure> {
        let layers = Layers::defaults()?.file_or_found(self.config.as_deref())?;
        let flags = [("dataDirectory", self.data_directory), ("databaseUrl", self.database_url)];
        let flags = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
        let config = layers.environment(super::serve::variables())?.flags(flags).build()?;
        if config.database_url.is_none() && !config.data_directory.join("plimsoll.db").is_file() {
            let place = config.data_directory.display();
            return Err(Failure::usage(format!("there is no database in {place}"))
                .hint("name the server's with --config, --data-directory or --database-url"));
        }
        let (tenant, user) = self.user.split_once('/').unwrap_or((HOME, &self.user));
        let account = Account { tenant: tenant.to_owned(), user: user.to_owned() };
        Ok((HostAdministration::new(open_store(&config)?, Context::system()), account))
    }
}

pub(super) async fn run(command: AdminCommand, printer: &Printer) -> Done {
    match command {
        AdminCommand::ResetPassword(whom) => {
            if !output::shown_to_a_person() {
                return Err(Failure::usage("the password is shown on a terminal alone, so that no log keeps it")
                    .hint("run it in a terminal, without redirecting its output"));
            }
            let (host, account) = whom.open()?;
            let password = host.reset_password(account).await?;
            printer.progress("the password is good once; its sessions have ended");
            printer.text(password.expose_secret())?;
        }
        AdminCommand::Unlock(whom) => {
            let (host, account) = whom.open()?;
            host.unlock(account).await?;
            printer.progress("unlocked");
        }
        AdminCommand::GrantAdmin(whom) => {
            let (host, account) = whom.open()?;
            host.grant_admin(account).await?;
            printer.progress("granted; a new token has it");
        }
    }
    Ok(Exit::Ok)
}
