//! Starting and stopping the server.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use plimsoll_app::{
    App, Settings, deployment, evidence,
    identity::{self, AuthoritySettings, FirstStart},
    promotion,
    registry::OutboundPolicy,
    tasks::{self, retention::Retention},
};
use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use plimsoll_oci::network::NetworkPolicy;
use plimsoll_store::{POLL, Store, StoreConfig};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    certificate::Certificate,
    config::Config,
    data_directory::{DataDirectory, Holds},
    disk, http, listener, operator, rate_exchange,
    state::Server,
};

/// For requests in flight and background tasks to end after they were told to. With [`CLOSING`] less than the 20 s
/// that a supervisor gives.
const ENDING: Duration = Duration::from_secs(15);

/// For leases to be given back after that, and again for the database to be closed.
const CLOSING: Duration = Duration::from_secs(2);

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where the operator finds metrics and health.
    pub operator_address: SocketAddr,
    /// How clients reach it.
    pub url: String,
    /// Whether the database is new.
    pub first: FirstStart,
    app: Arc<App>,
    server: Arc<Server>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _data: DataDirectory,
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Running({})", self.url)
    }
}

/// Starts a server: data directory, database with its migrations, keys, background tasks, listener.
pub async fn start(config: &Config, context: Context) -> Result<Running> {
    config.check()?;
    // One provider for the whole process; a second call changes nothing.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let holds = if config.database_url.is_some() { Holds::FilesAlone } else { Holds::Database };
    let data = DataDirectory::open(&config.data_directory, holds)?;
    let certificate = match (&config.tls_certificate, &config.tls_key) {
        (Some(chain), Some(key)) => Some(Certificate::read(chain.clone(), key.clone())?),
        _ => None,
    };
    let socket = TcpListener::bind(config.listen).await.map_err(|cause| {
        Error::new(
            ErrorCode::Unavailable,
            format!("cannot listen at {}: {cause}; choose another address with --listen", config.listen),
        )
    })?;
    let address = local(&socket)?;
    let operator = operator::bind(config.operator_address()).await?;
    let operator_address = local(&operator)?;
    let store = open_store(config)?;
    let url = config.base_url(address);
    let started = identity::start(store, context, &authority(config, &url), settings(config)?).await?;
    let server = Arc::new(Server::new(Arc::clone(&started.app), &config.data_directory)?);
    let router = http::router(&server)?.merge(crate::oauth::router(&server));
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    background(&mut tasks, &started.app, &stop);
    tasks.spawn(disk::watch(Arc::clone(&server), stop.clone()));
    tasks.spawn(rate_exchange::run(Arc::clone(&server), stop.clone()));
    let acceptor = certificate.as_ref().map(Certificate::acceptor);
    if let Some(certificate) = certificate {
        tasks.spawn(certificate.watch(stop.clone()));
    }
    tasks.spawn(listener::serve(operator, None, operator::router(&server), stop.clone()));
    tasks.spawn(listener::serve(socket, acceptor, router, stop.clone()));
    tracing::info!(url, operator = %operator_address, "the server is ready");
    Ok(Running {
        address,
        operator_address,
        url,
        first: started.first,
        app: started.app,
        server,
        stop,
        tasks,
        _data: data,
    })
}

fn local(listener: &TcpListener) -> Result<SocketAddr> {
    listener.local_addr().map_err(|cause| Error::internal_defect(format!("the listener has no address: {cause}")))
}

/// Opens the database that the configuration names; a server may be running on it.
pub fn open_store(config: &Config) -> Result<Store> {
    let store = match &config.database_url {
        Some(url) => StoreConfig::Postgres { url: url.clone(), connections: config.database_connections },
        None => StoreConfig::Sqlite {
            path: config.data_directory.join("plimsoll.db"),
            readers: config.database_connections.min(readers()),
        },
    };
    Store::open(&store)
}

/// More readers than processors only wait for each other.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(4, std::num::NonZero::get).clamp(2, 4)
}

fn settings(config: &Config) -> Result<Settings> {
    Ok(Settings {
        allow_process_hosts: config.allow_process_hosts,
        heartbeat_seconds: config.heartbeat_seconds,
        lease_seconds: config.lease_seconds,
        outbound: OutboundPolicy {
            network: NetworkPolicy::try_from(config.outbound_allow.clone())
                .map_err(|cause| Error::field("outboundAllow", "cidr", cause.to_string()))?,
            ..OutboundPolicy::default()
        },
        retention: Retention {
            logs: config.keep_logs_days,
            artifacts: config.keep_artifacts_days,
            events: config.keep_events_days,
            answers: config.keep_answers_days,
        },
    })
}

fn authority(config: &Config, url: &str) -> AuthoritySettings {
    AuthoritySettings {
        root_key_file: config.root_key_file.clone(),
        admin_password_file: config.admin_password_file.clone(),
        ..AuthoritySettings::new(url, &config.data_directory)
    }
}

/// Everything that runs by itself, listed.
fn background(set: &mut JoinSet<()>, app: &Arc<App>, stop: &CancellationToken) {
    set.spawn(identity::keep_current(Arc::clone(app), stop.clone()));
    set.spawn(tasks::retention::keep_swept(Arc::clone(app), stop.clone()));
    set.spawn(tasks::run_loop(Arc::clone(app), "versions", POLL, stop.clone(), tasks::component_sync::step));
    set.spawn(tasks::run_loop(Arc::clone(app), "sequencer", POLL, stop.clone(), tasks::sequencer::step));
    set.spawn(tasks::run_loop(Arc::clone(app), "promotions", POLL, stop.clone(), promotion::decide::step));
    set.spawn(tasks::run_loop(Arc::clone(app), "jobs", POLL, stop.clone(), deployment::advance::step));
    set.spawn(tasks::run_loop(Arc::clone(app), "silent agents", POLL, stop.clone(), deployment::lost::sweep));
    set.spawn(tasks::run_loop(Arc::clone(app), "heartbeats", POLL, stop.clone(), tasks::agents::step));
    set.spawn(tasks::run_loop(Arc::clone(app), "evidence", POLL, stop.clone(), evidence::sign::step));
}

impl Running {
    /// The use cases, for programs that run the server in their own process (the demo, tests).
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }

    /// Drains: readiness falls, listeners stop, requests in flight finish, background tasks end.
    pub async fn stop(mut self) {
        self.server.draining.store(true, Ordering::Relaxed);
        self.stop.cancel();
        // Streams look at once.
        self.app.store.wake().local();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(ENDING, ended).await.is_err() {
            tracing::warn!("some background tasks did not end in time");
        }
        match tokio::time::timeout(CLOSING, self.app.release_leases()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(error = ?error, "leases were not given back; they run out by themselves"),
            Err(_) => tracing::warn!("leases were not given back in time; they run out by themselves"),
        }
        if tokio::time::timeout(CLOSING, self.app.store.close()).await.is_err() {
            tracing::warn!("the database was not closed in time; the next start reads its log");
        }
    }
}
