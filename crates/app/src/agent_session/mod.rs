//! What an agent's stream does: what it is told, and what becomes of what it says. The server's WebSocket
//! session calls these; it holds no state but what it has sent.

mod lease;
mod observe;
mod report;
mod result;
mod secret;

use plimsoll_core::{
    Result, Timestamp,
    audit::Principal,
    id::{AgentId, TypedId},
    inventory::Target,
};
use plimsoll_protocol::agent::{
    AgentFrame, PROTOCOL_VERSION, ServerFrame,
    host::Connection,
    observe::{ObserveKind, ObserveRequest},
    order::{OrderSignature, ServerHello, ServerKey, TargetInfo, TaskCancel, TaskOffer},
};
use plimsoll_store::{
    Scope,
    deployment::order,
    evidence_key,
    observation::{self, Question},
    resource,
};
use uuid::Uuid;

use crate::{App, agent::targets_of};

/// Seconds that a cancelled task may take to stop what it runs.
pub const CANCEL_GRACE_SECONDS: u32 = 10;
/// Seconds after a lease's end before anything else is done about its tasks. What is promised is the lease and
/// ten seconds; the sweeper that looks each second needs the rest.
pub const LEASE_MARGIN_SECONDS: i64 = 8;
/// Seconds after that before another agent gets the target: ten after the end of the lease in all.
pub const HANDOVER_SECONDS: i64 = 2;

/// An agent with an open stream.
#[derive(Clone, Debug)]
pub struct AgentCaller {
    /// The agent's token.
    pub principal: Principal,
    /// The agent.
    pub id: AgentId,
}

impl AgentCaller {
    /// From a verified token of an agent.
    #[must_use]
    pub fn new(principal: Principal) -> Self {
        let id = AgentId::from_uuid(principal.id);
        Self { principal, id }
    }

    /// The scope of its transactions.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        Scope::Tenant(self.principal.tenant)
    }
}

/// How an agent reaches what runs on a target.
pub(crate) fn target_info(target: &Target) -> Result<TargetInfo> {
    Ok(TargetInfo {
        id: target.id,
        name: target.name.clone(),
        connection: Connection::parse(target.kind, &target.connection)?,
        adopt: target.adopt.clone(),
    })
}

impl App {
    /// The first frame of a stream.
    pub async fn agent_hello(&self, agent: &AgentCaller) -> Result<ServerFrame> {
        // The key must exist before the first order is verified with it.
        self.signer(agent.principal.tenant).await?;
        let id = agent.id;
        let (keys, targets) = self
            .store
            .read(agent.scope(), "agent_hello", move |tx| {
                let keys = evidence_key::all(tx)?;
                Ok((keys, targets_of(tx, id)?))
            })
            .await?;
        Ok(ServerFrame::Hello(ServerHello {
            server_version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol_version: PROTOCOL_VERSION,
            lease_seconds: self.settings.lease_seconds,
            heartbeat_seconds: self.settings.heartbeat_seconds,
            server_keys: keys
                .into_iter()
                .map(|key| ServerKey { key_id: key.key_id, public_key_pem: key.public_key })
                .collect(),
            announced_ca_pem: Vec::new(),
            targets: targets.iter().filter_map(|target| target_info(target).ok()).collect(),
        }))
    }

    /// What the agent is to be told now: offers that it has not acked, cancels, questions. The session
    /// sends each once; a new session sends them again.
    pub async fn agent_pending(&self, agent: &AgentCaller) -> Result<Vec<ServerFrame>> {
        let (id, now) = (agent.id, self.context.now());
        let (orders, cancels, questions) = self
            .store
            .read(agent.scope(), "agent_pending", move |tx| {
                let mut questions = Vec::new();
                for question in observation::open(tx, id, now)? {
                    if let Some(target) = resource::find::<Target>(tx, question.target)? {
                        questions.push((question, target));
                    }
                }
                Ok((order::unacked(tx, id)?, order::cancels(tx, id)?, questions))
            })
            .await?;
        let mut frames = Vec::new();
        for order in orders {
            frames.push(ServerFrame::Offer(TaskOffer {
                task_id: order.task,
                epoch: order.epoch,
                lease_seconds: self.settings.lease_seconds,
                order: order.text,
                signature: OrderSignature { key_id: order.key_id, value: order.signature },
            }));
        }
        for (task_id, epoch) in cancels {
            frames.push(ServerFrame::Cancel(TaskCancel { task_id, epoch, grace_seconds: CANCEL_GRACE_SECONDS }));
        }
        for (question, target) in questions {
            frames.push(ask(&question, &target, now)?);
        }
        Ok(frames)
    }

    /// Takes what an agent says; answers what it is to be told in return.
    pub async fn agent_frame(&self, agent: &AgentCaller, frame: AgentFrame) -> Result<Vec<ServerFrame>> {
        match frame {
            AgentFrame::Ack(ack) => self.task_acked(agent, ack).await,
            AgentFrame::Progress(progress) => self.task_progressed(agent, progress).await,
            AgentFrame::Log(log) => self.task_logged(agent, log).await,
            AgentFrame::Result(result) => self.task_ended(agent, result).await,
            AgentFrame::SecretRequest(request) => self.task_secrets(agent, request).await,
            AgentFrame::LeaseRenew(renew) => self.agent_lease(agent, renew).await,
            AgentFrame::Observation(report) => self.target_observed(agent, report).await,
            AgentFrame::Status(status) => self.agent_status(agent, status).await,
            // The session itself handles fresh tokens.
            AgentFrame::Auth(_) => Ok(Vec::new()),
        }
    }
}

fn ask(question: &Question, target: &Target, now: Timestamp) -> Result<ServerFrame> {
    let kind: ObserveKind = serde_json::from_value(serde_json::Value::String(question.kind.clone()))
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("a question of no kind: {cause}")))?;
    Ok(ServerFrame::Observe(ObserveRequest {
        request_id: question.id.to_string(),
        kind,
        target: target_info(target)?,
        deadline_seconds: u32::try_from(question.deadline.seconds_since(now).max(1)).unwrap_or(1),
    }))
}

pub(crate) fn parse_uuid(text: &str) -> Option<Uuid> {
    Uuid::try_parse(text).ok()
}
