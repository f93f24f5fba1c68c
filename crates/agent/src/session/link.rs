//! Keeps a connection to the server: connects, serves, waits a while, connects again.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use plimsoll_core::{Result, context::Context};

use super::{
    api::Refused,
    connect,
    enrol::join,
    identity::Identity,
    shared::Shared,
    stream::Connection,
    tls::{self, Trust},
    token::Tokens,
};
use crate::work::Event;

const SHORTEST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// A connection that lived this long was a good one.
const GOOD: Duration = Duration::from_mins(1);
/// What a token must have left for a new connection.
const LEFT: Duration = Duration::from_mins(2);

/// Runs until the agent stops.
pub async fn keep(shared: Shared, identity: Identity, tokens: Tokens, work: mpsc::Sender<Event>) -> Result<()> {
    let url = join(&identity.server, &format!("/api/v1/agents/{}/task-stream", identity.agent_id))?;
    let trust = Trust { ca_sha256: identity.ca_sha256.clone(), ca_pem: identity.ca_pem.clone() };
    let tls = Arc::new(tls::config(&trust)?);
    let mut pause = SHORTEST;
    loop {
        let began = Instant::now();
        let refused = once(&shared, &url, &tokens, Arc::clone(&tls), &work).await;
        if refused.status == 401 {
            tokens.forget().await;
        }
        if began.elapsed() >= GOOD {
            pause = SHORTEST;
        }
        let wait = jittered(pause, &shared.context);
        tracing::warn!(error = %refused.error, detail = refused.error.internal_text(), wait_ms = wait.as_millis(), "no connection to the server");
        sleep(wait).await;
        pause = (pause * 2).min(LONGEST);
    }
}

async fn once(
    shared: &Shared,
    url: &url::Url,
    tokens: &Tokens,
    tls: Arc<rustls::ClientConfig>,
    work: &mpsc::Sender<Event>,
) -> Refused {
    let token = match tokens.get(LEFT).await {
        Ok(token) => token,
        Err(refused) => return refused,
    };
    match connect::open(url, &token, tls).await {
        Ok(stream) => {
            tracing::info!(%url, "connected to the server");
            Connection::new(stream, shared.clone(), work.clone()).serve(tokens, token).await
        }
        Err(refused) => refused,
    }
}

/// Half to the whole of `pause`: agents that lost their server together don't come back together.
fn jittered(pause: Duration, context: &Context) -> Duration {
    let part = f64::from(u16::from_le_bytes(context.random::<2>())) / f64::from(u16::MAX);
    pause.mul_f64(0.5 + part / 2.0)
}
