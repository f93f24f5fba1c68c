//! What the server sends to have something done: hello, offer, cancel, lease.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    component::runtime::Switch,
    deployment::spec::DeploymentSpec,
    id::{AgentId, JobId, TargetId, TaskId},
};

use super::{host::Connection, report::HeldTask};

/// The DSSE payload type of an order.
pub const ORDER_PAYLOAD_TYPE: &str = "application/vnd.plimsoll.task-order+json";

/// The first frame on every connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServerHello {
    /// The server's version, as people know it.
    pub server_version: String,
    /// The frames that it speaks.
    pub protocol_version: u32,
    /// The connection's lease, which begins with the first `lease.renew`.
    pub lease_seconds: u32,
    /// Seconds between two heartbeats.
    pub heartbeat_seconds: u32,
    /// The keys with which orders and stickers are signed now; replaces what the agent has.
    pub server_keys: Vec<ServerKey>,
    /// Further CA certificates (PEM) that will be used; to be trusted besides the present ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub announced_ca_pem: Vec<String>,
    /// The targets that this agent serves: of these it takes inventory.
    #[serde(default)]
    pub targets: Vec<TargetInfo>,
}

/// One of the server's public keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerKey {
    /// As signatures name it.
    pub key_id: String,
    /// SubjectPublicKeyInfo in PEM: ECDSA P-256.
    pub public_key_pem: String,
}

/// A target as its agent needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetInfo {
    /// Which.
    pub id: TargetId,
    /// Its name, for people.
    pub name: String,
    /// Which driver acts there, and how it reaches the engine.
    pub connection: Connection,
    /// Containers that ran before us and may be taken over: component name to container name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adopt: BTreeMap<String, String>,
}

/// The body of `task.offer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOffer {
    /// Which task; the same as in the order.
    pub task_id: TaskId,
    /// The epoch of this offer; the same as in the order.
    pub epoch: u64,
    /// The lease that the task hangs on. An agent whose lease has run out acks and waits for a new one.
    pub lease_seconds: u32,
    /// The [`TaskOrder`] as JSON text: exactly these bytes are signed.
    pub order: String,
    /// By one of the server's keys, over [`signing_bytes`] of `order`.
    pub signature: OrderSignature,
}

impl TaskOffer {
    /// The order, after its signature was verified. An order about another task or epoch is refused.
    pub fn order(&self) -> Result<TaskOrder> {
        let order: TaskOrder = serde_json::from_str(&self.order)
            .map_err(|cause| Error::new(ErrorCode::MalformedJson, format!("the order can't be read: {cause}")))?;
        if order.task_id != self.task_id || order.epoch != self.epoch {
            return Err(Error::field("order", "mismatch", "the signed order is about another task or epoch"));
        }
        Ok(order)
    }
}

/// A signature over an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderSignature {
    /// Which of [`ServerHello::server_keys`].
    pub key_id: String,
    /// ECDSA P-256 with SHA-256, ASN.1 DER, in base64.
    pub value: String,
}

/// What is signed for `order`: the DSSE pre-authentication encoding, so that an order can never be taken
/// for another kind of document.
#[must_use]
pub fn signing_bytes(order: &str) -> Vec<u8> {
    let kind = ORDER_PAYLOAD_TYPE;
    format!("DSSEv1 {} {kind} {} {order}", kind.len(), order.len()).into_bytes()
}

/// What one agent is to do on one target for one application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskOrder {
    /// Which task.
    pub task_id: TaskId,
    /// Of which job.
    pub job_id: JobId,
    /// Who is to do it; another agent refuses.
    pub agent_id: AgentId,
    /// The fence: nobody with a lower one may change the target.
    pub epoch: u64,
    /// When the server signed it.
    pub issued_at: Timestamp,
    /// What for.
    pub kind: OrderKind,
    /// Where.
    pub target: TargetInfo,
    /// The application's name.
    pub application: String,
    /// What is to run. `None`, or a spec without components: the application is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec: Option<DeploymentSpec>,
    /// What ran before by the server's book; what really runs is read on the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<DeploymentSpec>,
    /// How.
    #[serde(default)]
    pub hints: OrderHints,
    /// The sticker to place after success: a DSSE envelope as JSON text. Absent for a teardown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticker: Option<String>,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderKind {
    /// Bring a release.
    Deploy,
    /// Put back an earlier one; recorded as such, done the same way.
    Rollback,
    /// Stop and remove what is ours of this application there.
    Teardown,
}

/// What the job's strategy asks of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrderHints {
    /// Overrides every component's own switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub switch: Option<Switch>,
    /// How long components are watched after success; 0 for not at all.
    pub watch_seconds: u32,
    /// Images of this many last releases of the application stay on the host.
    pub keep_releases: u8,
    /// The whole task may take this long; then it is undone.
    pub deadline_seconds: u32,
    /// Whether the server's settings allow `process_host`, which doesn't isolate.
    pub allow_process_host: bool,
}

impl Default for OrderHints {
    fn default() -> Self {
        Self { switch: None, watch_seconds: 0, keep_releases: 3, deadline_seconds: 3600, allow_process_host: false }
    }
}

/// The body of `task.cancel`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskCancel {
    /// Which task.
    pub task_id: TaskId,
    /// The epoch of the offer that is cancelled; an agent that holds a newer one ignores this.
    pub epoch: u64,
    /// By when the agent should have undone its work and reported; afterwards the epoch is raised.
    pub grace_seconds: u32,
}

/// The body of `lease.renewed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeaseRenewed {
    /// Of the `lease.renew` that this answers: the lease counts from when that was sent.
    pub nonce: u64,
    /// Its length.
    pub lease_seconds: u32,
    /// Tasks named in the request that are no longer this agent's (ended, given up, offered elsewhere): they
    /// are undone within the fence and reported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<HeldTask>,
}
