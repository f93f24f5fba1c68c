//! A running agent, from its start to its end.

use std::{fs::OpenOptions, sync::RwLock, time::Duration};

use rustix::fs::{FlockOperation, flock};
use tokio::sync::{mpsc, watch};

use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use plimsoll_protocol::agent::LEASE_SECONDS;

use crate::{
    config::AgentConfig,
    lease::Lease,
    session::{
        api::Api,
        heartbeat,
        identity::Home,
        link,
        outbox::Outbox,
        shared::{Parts, Shared},
        tls::Trust,
        token::Tokens,
    },
    task::secrets::SecretDesk,
    work::Work,
};

/// Events that wait for the work; the stream waits when there are more.
const EVENTS: usize = 256;

/// Runs an enrolled agent until `stop` comes true. What it started goes on running; tasks in hand are taken
/// up from their journals by the next run.
pub async fn run(config: AgentConfig, context: Context, stop: impl Future<Output = ()>) -> Result<()> {
    let home = Home::open(&config.data_directory)?;
    let _lock = lock(&config)?;
    let Some(identity) = home.identity()? else {
        return Err(Error::new(
            ErrorCode::Unauthenticated,
            format!("no agent is enrolled in {}; run `enrol` first", config.data_directory.display()),
        ));
    };
    config.check_server(&identity.server)?;
    let trust = Trust { ca_sha256: identity.ca_sha256.clone(), ca_pem: identity.ca_pem.clone() };
    let api = Api::new(&trust, context.clone())?;
    let shared = Shared(std::sync::Arc::new(Parts {
        agent_id: identity.agent_id,
        outbox: Outbox::default(),
        secrets: SecretDesk::default(),
        lease: Lease::awaited(Duration::from_secs(u64::from(LEASE_SECONDS))),
        held: watch::Sender::new(Vec::new()),
        server_keys: RwLock::new(identity.server_keys.clone()),
        clock: api.clock().clone(),
        context: context.clone(),
        home: home.clone(),
        config,
    }));
    let tokens = Tokens::new(api.clone(), home, identity.clone(), context)?;
    let (events, received) = mpsc::channel(EVENTS);
    let work = Work::open(shared.clone(), events.clone()).await?;
    tracing::info!(agent = %identity.agent_id, server = %identity.server, "the agent runs");
    let link = link::keep(shared.clone(), identity.clone(), tokens.clone(), events.clone());
    let beats = heartbeat::beat(shared, api, identity, tokens, events);
    tokio::select! {
        ended = link => ended,
        ended = beats => ended,
        () = work.run(received) => Ok(()),
        () = stop => {
            tracing::info!("the agent stops; what it started goes on running");
            Ok(())
        }
    }
}

/// One agent a data directory.
fn lock(config: &AgentConfig) -> Result<std::fs::File> {
    let path = config.data_directory.join("agent.lock");
    let refuse = |what: String| Error::new(ErrorCode::StateConflict, format!("{}: {what}", path.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|cause| refuse(cause.to_string()))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| refuse("another agent runs in this data directory; stop it first".to_owned()))?;
    Ok(file)
}
