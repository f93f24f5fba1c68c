//! What the product stands beside: programs that do the least that could answer the same call. This program
//! starts itself for them: `speed bare <kind> …`.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Instant,
};

use anyhow::{Context as _, Result, bail};
use axum::{
    Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
    serve::ListenerExt as _,
};
use bytes::Bytes;
use plimsoll_core::context::Context;
use plimsoll_testkit::free_port;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::process::Running;

mod statements;
use statements::{Created, Templates};

/// Jobs that share one flush to disk, as in the product.
const BATCH: usize = 128;
/// Connections to PostgreSQL, as in the product.
const CONNECTIONS: usize = 8;

/// What a bare program does.
pub enum Kind<'a> {
    /// Answers a constant of so many bytes.
    Constant(usize),
    /// Commits what creating a component commits, to this SQLite file.
    Sqlite(&'a Path),
    /// The same to this PostgreSQL.
    Postgres(&'a str),
}

/// Starts one; where it listens.
pub async fn start(kind: &Kind<'_>, log: &Path) -> Result<(Running, SocketAddr)> {
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("bare").arg(address.to_string());
    match kind {
        Kind::Constant(length) => command.arg("constant").arg(length.to_string()),
        Kind::Sqlite(path) => command.arg("sqlite").arg(path),
        Kind::Postgres(url) => command.arg("postgres").arg(url),
    };
    let mut running = Running::spawn(&mut command, log)?;
    running.ready(address, "/", Instant::now()).await?;
    Ok((running, address))
}

/// Is one, until it is stopped.
pub fn run(arguments: &[String]) -> Result<()> {
    let [address, kind, what] = arguments else { bail!("bare <address> <kind> <what>") };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = match kind.as_str() {
            "constant" => {
                let body = Bytes::from("x".repeat(what.parse()?));
                Router::new().fallback(move || std::future::ready(body.clone()))
            }
            "sqlite" => writing(sqlite(PathBuf::from(what))?),
            "postgres" => writing(postgres(what).await?),
            other => bail!("there is no bare program {other}"),
        };
        let listener = tokio::net::TcpListener::bind(address).await?;
        let listener = listener.tap_io(|stream| {
            // As in the product; without it the figures would only be worse.
            _ = stream.set_nodelay(true);
        });
        Ok(axum::serve(listener, router).await?)
    })
}

type Job = (Created, oneshot::Sender<()>);
type Jobs = mpsc::Sender<Job>;

#[derive(Clone)]
struct Writing {
    jobs: Jobs,
    templates: Arc<Templates>,
    context: Context,
}

fn writing((jobs, templates): (Jobs, Templates)) -> Router {
    let state = Writing { jobs, templates: Arc::new(templates), context: Context::system() };
    Router::new().route("/", get(|| async {})).route("/components", post(create)).with_state(state)
}

async fn create(State(state): State<Writing>, body: Bytes) -> (StatusCode, String) {
    let Some(created) = state.templates.create(&body, &state.context) else {
        return (StatusCode::BAD_REQUEST, String::new());
    };
    let answer = created.component.clone();
    let (done, committed) = oneshot::channel();
    if state.jobs.send((created, done)).await.is_err() || committed.await.is_err() {
        return (StatusCode::SERVICE_UNAVAILABLE, String::new());
    }
    (StatusCode::CREATED, answer)
}

/// One writer that shares each flush among those who wait.
fn sqlite(path: PathBuf) -> Result<(Jobs, Templates)> {
    let connection = rusqlite::Connection::open(path)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.execute_batch(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-32768;
         PRAGMA wal_autocheckpoint=8192",
    )?;
    let templates = Templates::of_sqlite(&connection)?;
    let (jobs, mut queue) = mpsc::channel::<Job>(4096);
    std::thread::spawn(move || -> Result<()> {
        while let Some(first) = queue.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(job) = queue.try_recv()
            {
                batch.push(job);
            }
            connection.execute_batch("BEGIN IMMEDIATE")?;
            for (created, _) in &batch {
                created.in_sqlite(&connection)?;
            }
            connection.execute_batch("COMMIT")?;
            for (_, done) in batch {
                // Who went away needs no answer.
                _ = done.send(());
            }
        }
        Ok(())
    });
    Ok((jobs, templates))
}

/// A pool of connections, a transaction a call.
async fn postgres(url: &str) -> Result<(Jobs, Templates)> {
    let templates = Templates::of_postgres(&connect(url).await?).await?;
    let (jobs, queue) = mpsc::channel::<Job>(4096);
    let queue = Arc::new(Mutex::new(queue));
    for _ in 0..CONNECTIONS {
        let (client, queue) = (connect(url).await?, Arc::clone(&queue));
        let prepared = statements::Prepared::new(&client).await?;
        tokio::spawn(async move {
            loop {
                let next = queue.lock().await.recv().await;
                let Some((created, done)) = next else { return };
                if created.in_postgres(&client, &prepared).await.is_ok() {
                    // Who went away needs no answer.
                    _ = done.send(());
                }
            }
        });
    }
    Ok((jobs, templates))
}

/// A connection to PostgreSQL, driven by the runtime.
pub async fn connect(url: &str) -> Result<tokio_postgres::Client> {
    let (client, connection) =
        tokio_postgres::connect(url, tokio_postgres::NoTls).await.context("no connection to PostgreSQL")?;
    tokio::spawn(connection);
    Ok(client)
}
