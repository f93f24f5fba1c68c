//! What the parts of a running agent share.

use std::sync::{Arc, PoisonError, RwLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::sync::watch;

use plimsoll_core::{context::Context, id::AgentId};
use plimsoll_evidence::PublicKey;
use plimsoll_protocol::agent::{
    order::{ServerKey, TaskOffer, TaskOrder, signing_bytes},
    report::{HeldTask, TaskError, TaskErrorCode},
};

use super::{api::ServerClock, identity::Home, outbox::Outbox};
use crate::{config::AgentConfig, lease::Lease, task::secrets::SecretDesk};

/// Shared by session and work; clones are the same.
#[derive(Clone, Debug)]
pub struct Shared(pub Arc<Parts>);

/// The parts.
#[derive(Debug)]
pub struct Parts {
    /// The settings.
    pub config: AgentConfig,
    /// Time and randomness.
    pub context: Context,
    /// The agent's own files.
    pub home: Home,
    /// Who the agent is.
    pub agent_id: AgentId,
    /// What waits to be sent.
    pub outbox: Outbox,
    /// Secrets that are waited for.
    pub secrets: SecretDesk,
    /// The lease.
    pub lease: Lease,
    /// The tasks in hand.
    pub held: watch::Sender<Vec<HeldTask>>,
    /// The keys that orders are signed with.
    pub server_keys: RwLock<Vec<ServerKey>>,
    /// The server's clock.
    pub clock: ServerClock,
}

impl std::ops::Deref for Shared {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Parts {
    /// The order in an offer, if the server signed it and it is meant for this agent.
    pub fn verified(&self, offer: &TaskOffer) -> Result<TaskOrder, TaskError> {
        let keys = self.server_keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = keys.iter().find(|key| key.key_id == offer.signature.key_id);
        let accepted = key.is_some_and(|key| accepts(key, offer));
        drop(keys);
        if !accepted {
            return Err(TaskError::new(
                TaskErrorCode::SignatureInvalid,
                "the order is not signed by a key of the server",
            )
            .hint("if the server's keys were changed, restart the agent; otherwise look who sent this"));
        }
        let order = offer.order().map_err(|cause| TaskError::new(TaskErrorCode::OrderInvalid, cause.message()))?;
        if order.agent_id != self.agent_id {
            return Err(TaskError::new(TaskErrorCode::OrderInvalid, "the order is meant for another agent"));
        }
        if order.spec.as_ref().is_some_and(|spec| spec.target_id != order.target.id) {
            return Err(TaskError::new(TaskErrorCode::OrderInvalid, "the spec is for another target than the order"));
        }
        Ok(order)
    }

    /// The server told its keys.
    pub fn set_keys(&self, keys: Vec<ServerKey>) {
        *self.server_keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
    }
}

fn accepts(key: &ServerKey, offer: &TaskOffer) -> bool {
    let (Ok(key), Ok(signature)) = (PublicKey::from_pem(&key.public_key_pem), STANDARD.decode(&offer.signature.value))
    else {
        return false;
    };
    key.accepts(&signing_bytes(&offer.order), &signature)
}
