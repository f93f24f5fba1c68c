//! The server's configuration: one typed struct out of defaults, a file, the environment and flags, each
//! value with its source. Unknown keys are refused.

mod layers;

use std::{net::SocketAddr, path::PathBuf};

use plimsoll_core::{Error, Result};
use serde::{Deserialize, Serialize};

pub use layers::{Layers, Source};

/// Everything an operator can set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// Where metrics and health are for the operator; on loopback when absent.
    #[serde(default)]
    pub operator_listen: Option<SocketAddr>,
    /// Whether it may listen beyond loopback without TLS (behind a proxy that has it).
    pub allow_insecure_listen: bool,
    /// How clients and agents reach the server; the issuer of its tokens.
    #[serde(default)]
    pub public_url: Option<String>,
    /// Where the database file, keys and logs are.
    pub data_directory: PathBuf,
    /// A PostgreSQL URL; without one, SQLite in the data directory.
    #[serde(default)]
    pub database_url: Option<String>,
    /// Connections to PostgreSQL, or reader threads of SQLite.
    pub database_connections: usize,
    /// The root key's file; `root.key` in the data directory when absent.
    #[serde(default)]
    pub root_key_file: Option<PathBuf>,
    /// A file whose text is the first administrator's password.
    #[serde(default)]
    pub admin_password_file: Option<PathBuf>,
    /// A certificate chain (PEM).
    #[serde(default)]
    pub tls_certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[serde(default)]
    pub tls_key: Option<PathBuf>,
    /// Networks (CIDR) that integrations may reach although they are loopback or private to the host.
    pub outbound_allow: Vec<String>,
    /// Whether targets of type `process_host` may be made: they do not isolate.
    pub allow_process_hosts: bool,
    /// Seconds between an agent's heartbeats.
    pub heartbeat_seconds: u32,
    /// Seconds that an agent may work without hearing from the server.
    pub lease_seconds: u32,
    /// Where traces are sent (OTLP over HTTP, such as `http://localhost:4318`); nowhere when absent.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
    /// Days for which logs of finished jobs are kept.
    pub keep_logs_days: u32,
    /// Days for which artifacts of finished jobs are kept.
    pub keep_artifacts_days: u32,
    /// Days for which events are kept, from which streams are resumed.
    pub keep_events_days: u32,
    /// Days for which answers under an Idempotency-Key are kept.
    pub keep_answers_days: u32,
    /// What is logged: a level, or levels of parts, such as `info,plimsoll_store=debug`.
    pub log: String,
    /// `text` or `json`.
    pub log_format: LogFormat,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Keys whose values are never shown.
const SECRET: &[&str] = &["databaseUrl"];

impl Config {
    /// The defaults.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8400)),
            operator_listen: None,
            allow_insecure_listen: false,
            public_url: None,
            data_directory: PathBuf::from("plimsoll-data"),
            database_url: None,
            database_connections: 8,
            root_key_file: None,
            admin_password_file: None,
            tls_certificate: None,
            tls_key: None,
            outbound_allow: Vec::new(),
            allow_process_hosts: false,
            heartbeat_seconds: 10,
            lease_seconds: 60,
            otlp_endpoint: None,
            keep_logs_days: 30,
            keep_artifacts_days: 90,
            keep_events_days: 7,
            keep_answers_days: 1,
            log: "info".to_owned(),
            log_format: LogFormat::Text,
        }
    }

    /// Where the operator's listener is: as configured, else on loopback: at 8401 beside an API at 8400, at any free
    /// port (the log says which) beside another one, whose neighbours are not ours to take.
    #[must_use]
    pub fn operator_address(&self) -> SocketAddr {
        let beside = match self.listen.port() {
            8400 => 8401,
            _ => 0,
        };
        self.operator_listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], beside)))
    }

    /// How clients reach the server that listens at `address`.
    #[must_use]
    pub fn base_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls_certificate.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"))
    }

    /// Refuses combinations that would be unsafe or cannot work.
    pub fn check(&self) -> Result<()> {
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            return Err(Error::field("tlsKey", "incomplete", "give both tlsCertificate and tlsKey, or neither"));
        }
        if !self.listen.ip().is_loopback() && self.tls_certificate.is_none() && !self.allow_insecure_listen {
            return Err(Error::field(
                "listen",
                "insecure",
                "without TLS the server listens on loopback alone; give tlsCertificate and tlsKey, or set allowInsecureListen = true behind a proxy that terminates TLS",
            ));
        }
        if !(1..=600).contains(&self.lease_seconds) || !(1..=600).contains(&self.heartbeat_seconds) {
            return Err(Error::field("leaseSeconds", "range", "leaseSeconds and heartbeatSeconds are 1 to 600"));
        }
        let kept = [
            ("keepLogsDays", self.keep_logs_days),
            ("keepArtifactsDays", self.keep_artifacts_days),
            ("keepEventsDays", self.keep_events_days),
            ("keepAnswersDays", self.keep_answers_days),
        ];
        for (key, days) in kept {
            if !(1..=36_500).contains(&days) {
                return Err(Error::field(key, "range", format!("{key} is 1 to 36500")));
            }
        }
        if !(1..=256).contains(&self.database_connections) {
            return Err(Error::field("databaseConnections", "range", "databaseConnections is 1 to 256"));
        }
        Ok(())
    }
}
