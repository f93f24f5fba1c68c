//! Wake-ups between replicas, over PostgreSQL's `NOTIFY` on a connection of its own.
//!
//! Never inside a transaction that changes data: PostgreSQL holds one lock for the whole database from a `NOTIFY` until
//! the commit is flushed. A notification says only that there is something, and may be lost: every waiter polls too.

use std::time::Duration;

use plimsoll_core::{Error, Result};
use tokio::sync::mpsc;
use tokio_postgres::{Client, Config};

use super::{
    connect::{Heard, connect},
    sqlite::spawn,
    wake::{Committed, Wake},
};

/// One notification speaks for all commits of this time.
const QUIET: Duration = Duration::from_millis(20);
/// Before a connection that broke is opened again.
const AGAIN: Duration = Duration::from_secs(1);
/// For a statement to be answered.
const LIMIT: Duration = Duration::from_secs(10);

/// Starts the thread that tells other replicas of our commits and wakes ours at theirs. It ends with the store.
pub(super) fn start(config: &Config, wake: &Wake) -> Result<()> {
    let (config, committed, wake) = (config.clone(), wake.committed(), wake.without_commits());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|cause| Error::internal_defect(format!("no runtime for the wake-up thread: {cause}")))?;
    spawn("pg-notify", move || runtime.block_on(run(&config, committed, &wake)))
}

async fn run(config: &Config, mut committed: Committed, wake: &Wake) {
    loop {
        match exchange(config, &mut committed, wake).await {
            Ok(()) => return,
            Err(cause) => tracing::warn!(error = ?cause, "replicas do not wake each other now; they poll"),
        }
        // What was missed meanwhile is looked at.
        wake.local();
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            () = committed.over() => return,
        }
    }
}

/// Until the store is gone (`Ok`) or the connection breaks.
async fn exchange(config: &Config, committed: &mut Committed, wake: &Wake) -> Result<()> {
    let (to, mut heard) = mpsc::channel(16);
    let client = connect(config, Heard::Payloads(to)).await?;
    let me = answered(&client, "SELECT pg_backend_pid()").await?;
    answered(&client, "LISTEN plimsoll_wake").await?;
    loop {
        tokio::select! {
            payload = heard.recv() => match payload {
                Some(payload) if payload == me => {}
                Some(_) => wake.local(),
                None => return Err(Error::internal_defect("the connection for wake-ups ended")),
            },
            more = committed.next() => {
                if !more {
                    return Ok(());
                }
                answered(&client, &format!("NOTIFY plimsoll_wake, '{me}'")).await?;
                tokio::time::sleep(QUIET).await;
            }
        }
    }
}

/// Runs a statement; answers the first column of its first row, or nothing.
async fn answered(client: &Client, sql: &str) -> Result<String> {
    let failed = |cause: &dyn std::fmt::Display| Error::internal_defect(format!("{sql}: {cause}"));
    let messages = tokio::time::timeout(LIMIT, client.simple_query(sql))
        .await
        .map_err(|_| failed(&"no answer"))?
        .map_err(|cause| failed(&cause))?;
    let first = messages.iter().find_map(|message| match message {
        tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(first.unwrap_or_default().to_owned())
}
