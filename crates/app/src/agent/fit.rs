//! Whether an agent is given tasks.

use plimsoll_core::{
    Result,
    inventory::{Agent, AgentStatus},
};
use plimsoll_protocol::agent::{OLDEST_PROTOCOL_VERSION, PROTOCOL_VERSION, is_spoken};
use plimsoll_store::{Tx, agent as rows};

/// What stands between an agent and tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// Nothing.
    Fit,
    /// It is not heard, or switched off.
    Away,
    /// It is heard, and speaks another version than this server: this is said to people.
    Foreign(String),
}

impl Fitness {
    /// Whether it is given tasks.
    pub(crate) fn is_fit(&self) -> bool {
        *self == Self::Fit
    }
}

/// How fit an agent is now. A degraded one works, unless it is degraded for what it speaks.
pub(crate) fn fitness(tx: &mut Tx<'_>, agent: &Agent) -> Result<Fitness> {
    if !agent.enabled {
        return Ok(Fitness::Away);
    }
    match agent.status {
        AgentStatus::Online => Ok(Fitness::Fit),
        AgentStatus::Offline | AgentStatus::Disabled => Ok(Fitness::Away),
        AgentStatus::Degraded => {
            let heard = rows::as_heard(tx, agent.clone())?;
            let speaks = heard.protocol_version;
            if is_spoken(speaks) {
                return Ok(Fitness::Fit);
            }
            Ok(Fitness::Foreign(format!(
                "the target's agent {:?} (version {}) speaks protocol version {speaks}, and this server {OLDEST_PROTOCOL_VERSION} to {PROTOCOL_VERSION}, so that it is given no tasks",
                heard.name, heard.version
            )))
        }
    }
}
