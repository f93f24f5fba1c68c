//! `plimsoll serve`: the server in this process.

use std::path::{Path, PathBuf};

use clap::Args;
use plimsoll_app::identity::FirstStart;
use plimsoll_core::context::Context;
use plimsoll_server::{config::Layers, start};
use tokio::signal::unix::SignalKind;

use super::telemetry::Telemetry;
use crate::{
    Done,
    exit::Exit,
    failure::Failure,
    output::{self, Printer},
    signals::listen_for,
};

/// Flags of `serve`: the configuration's keys.
#[derive(Args, Debug)]
pub(crate) struct Serve {
    /// The configuration file (TOML)
    #[arg(long, env = "PLIMSOLL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the configuration in force, each value with its source, and stop
    #[arg(long)]
    print_config: bool,
    /// Where the API listens
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
    /// Where metrics and health are for the operator; by default on loopback, at 8401 beside an API at 8400
    #[arg(long, value_name = "ADDRESS:PORT")]
    operator_listen: Option<String>,
    /// Listen beyond loopback without TLS, behind a proxy that has it
    #[arg(long)]
    allow_insecure_listen: bool,
    /// How clients and agents reach the server
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Where the database file and the keys are
    #[arg(long, value_name = "DIR")]
    data_directory: Option<String>,
    /// PostgreSQL instead of SQLite
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Connections to the database
    #[arg(long, value_name = "N")]
    database_connections: Option<String>,
    /// The root key's file
    #[arg(long, value_name = "FILE")]
    root_key_file: Option<String>,
    /// A file with the first administrator's password
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<String>,
    /// A certificate chain (PEM)
    #[arg(long, value_name = "FILE")]
    tls_certificate: Option<String>,
    /// Its key (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Loopback or private networks that integrations may reach, joined by commas
    #[arg(long, value_name = "CIDR,...")]
    outbound_allow: Option<String>,
    /// Allow targets of type process_host, which do not isolate
    #[arg(long)]
    allow_process_hosts: bool,
    /// Seconds between an agent's heartbeats
    #[arg(long, value_name = "SECONDS")]
    heartbeat_seconds: Option<String>,
    /// Seconds that an agent may work without hearing from the server
    #[arg(long, value_name = "SECONDS")]
    lease_seconds: Option<String>,
    /// Where traces are sent: OTLP over HTTP, such as http://localhost:4318
    #[arg(long, value_name = "URL")]
    otlp_endpoint: Option<String>,
    /// What is logged: a level, or levels of parts, such as info,plimsoll_store=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
}

impl Serve {
    fn layers(self) -> Result<Layers, Failure> {
        let layers = Layers::defaults()?.file_or_found(self.config.as_deref())?;
        let set = |yes: bool| yes.then(|| "true".to_owned());
        let flags = [
            ("listen", self.listen),
            ("operatorListen", self.operator_listen),
            ("allowInsecureListen", set(self.allow_insecure_listen)),
            ("publicUrl", self.public_url),
            ("dataDirectory", self.data_directory),
            ("databaseUrl", self.database_url),
            ("databaseConnections", self.database_connections),
            ("rootKeyFile", self.root_key_file),
            ("adminPasswordFile", self.admin_password_file),
            ("tlsCertificate", self.tls_certificate),
            ("tlsKey", self.tls_key),
            ("outboundAllow", self.outbound_allow),
            ("allowProcessHosts", set(self.allow_process_hosts)),
            ("heartbeatSeconds", self.heartbeat_seconds),
            ("leaseSeconds", self.lease_seconds),
            ("otlpEndpoint", self.otlp_endpoint),
            ("log", self.log),
            ("logFormat", self.log_format),
        ];
        let given = flags.into_iter().filter_map(|(key, value)| Some((key, value?)));
        Ok(layers.environment(variables())?.flags(given))
    }
}

/// The environment, without what is no text.
pub(super) fn variables() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

pub(super) async fn run(command: Serve, printer: &Printer) -> Done {
    let print = command.print_config;
    let layers = command.layers()?;
    let config = layers.build()?;
    if print {
        printer.text(layers.print().trim_end())?;
        return Ok(Exit::Ok);
    }
    let telemetry = Telemetry::start(&config)?;
    // Asked for before the start, so that no signal is lost.
    let (mut terminate, mut interrupt) = (listen_for(SignalKind::terminate())?, listen_for(SignalKind::interrupt())?);
    let starting = start(&config, Context::system());
    let running = tokio::select! {
        started = starting => started?,
        _ = terminate.recv() => return Ok(Exit::Ok),
        _ = interrupt.recv() => return Ok(Exit::Interrupted),
    };
    welcome(&running.first, printer);
    printer.text(&running.url)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    printer.progress("stopping: requests in flight may finish");
    let ending = async {
        running.stop().await;
        telemetry.end().await;
    };
    tokio::select! {
        () = ending => Ok(Exit::Ok),
        // Asked twice: now.
        _ = interrupt.recv() => Ok(Exit::Interrupted),
        _ = terminate.recv() => Ok(Exit::Interrupted),
    }
}

/// On the first start: how to sign in. The password itself is shown on a terminal alone, never in a log.
fn welcome(first: &FirstStart, printer: &Printer) {
    match first {
        FirstStart::Known => {}
        FirstStart::PasswordGiven => {
            printer.progress("first start: sign in as admin with the password that you gave");
        }
        FirstStart::PasswordIn(path) => {
            let shown = output::at_terminal().then(|| one_time_password(path)).flatten();
            let shown = shown.map_or(String::new(), |password| format!(": {password}"));
            printer.progress(&format!(
                "first start: the administrator's one-time password is in {}{shown}",
                path.display()
            ));
        }
    }
}

fn one_time_password(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
