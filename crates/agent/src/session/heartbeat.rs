//! Heartbeats: how the agent finds itself, beside the task stream, so that the server knows of a broken one.

use std::time::Duration;

use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};

use plimsoll_core::{Result, id::TaskId, inventory::AgentResources};
use plimsoll_protocol::agent::{
    HEARTBEAT_SECONDS, PROTOCOL_VERSION,
    enrol::{AgentHealth, HeartbeatAnswer, HeartbeatRequest},
};

use super::{api::Api, enrol::join, identity::Identity, shared::Shared, token::Tokens};
use crate::{host, resources, work::Event};

const LEFT: Duration = Duration::from_secs(30);

/// Beats until the agent stops.
pub async fn beat(
    shared: Shared,
    api: Api,
    identity: Identity,
    tokens: Tokens,
    work: mpsc::Sender<Event>,
) -> Result<()> {
    let url = join(&identity.server, &format!("/api/v1/agents/{}/heartbeat", identity.agent_id))?;
    let mut every = Duration::from_secs(u64::from(HEARTBEAT_SECONDS));
    loop {
        let begun = Instant::now();
        match once(&shared, &api, &url, &tokens).await {
            Ok(answer) => {
                every = Duration::from_secs(u64::from(answer.heartbeat_seconds.max(1)));
                if let Some(version) = &answer.upgrade_to {
                    tracing::info!(version, "the server asks for this agent to be upgraded");
                }
                if !answer.cancel_tasks.is_empty() {
                    cancel(&work, answer.cancel_tasks).await;
                }
            }
            Err(refused) => {
                tracing::debug!(error = %refused.error, "a heartbeat did not arrive");
                if refused.status == 401 {
                    tokens.forget().await;
                }
            }
        }
        sleep_until(begun + every).await;
    }
}

async fn once(
    shared: &Shared,
    api: &Api,
    url: &url::Url,
    tokens: &Tokens,
) -> Result<HeartbeatAnswer, super::api::Refused> {
    let token = tokens.get(LEFT).await?;
    let body = HeartbeatRequest {
        status: AgentHealth::Online,
        reason: None,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol_version: PROTOCOL_VERSION,
        capabilities: host::capabilities(),
        resources: means(shared),
        running_tasks: shared.held.borrow().clone(),
    };
    let request = api.client().post(url.clone()).header("authorization", token.bearer()).json(&body);
    let answer: HeartbeatAnswer = api.data(request).await?;
    api.clock().set(answer.server_time);
    Ok(answer)
}

/// The host's means, with how far its clock is off.
pub fn means(shared: &Shared) -> AgentResources {
    AgentResources { clock_skew_ms: Some(shared.clock.skew_ms()), ..resources::of(&shared.config.deployments()) }
}

async fn cancel(work: &mpsc::Sender<Event>, tasks: Vec<TaskId>) {
    // The agent is stopping when nobody takes it.
    _ = work.send(Event::CancelTasks(tasks)).await;
}
