//! Agents, as people see and change them.

mod chosen;
mod enrol;
mod fit;
mod heartbeat;
mod unlock;

use plimsoll_authority::{oauth::join::JoinState, token::ACCESS_TOKEN_SECONDS};
use plimsoll_core::{
    Error, Result, Timestamp,
    id::{AgentId, TypedId},
    inventory::{Agent, AgentStatus, Target, TargetStatus},
};
use plimsoll_protocol::inventory::UpdateAgent;
use plimsoll_store::{
    Lock, Tx, agent as rows,
    identity::{
        agent::{self as identities, AgentIdentity},
        revocation::{self, Revoked},
    },
    resource::{self, ListQuery, Listing},
    target,
};
use serde_json::json;

pub(crate) use chosen::{Agents, targets_of};
pub(crate) use fit::{Fitness, fitness};
pub use heartbeat::Heartbeats;

use crate::{App, Caller, Change, Reply, replace::Replace};

/// What an agent tells of itself, and what is seen of it.
const OBSERVED: &[&str] = &[
    "status",
    "lastHeartbeatAt",
    "resources",
    "runningTasks",
    "version",
    "protocolVersion",
    "capabilities",
    "lockedReason",
];

/// Longer than any token of an agent can live.
const TOKENS_SECONDS: i64 = ACCESS_TOKEN_SECONDS + 120;

impl App {
    /// A page of agents.
    pub async fn agent_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Agent>> {
        let found: Listing<Agent> = self.store.list(caller.scope(), "agent_list", query).await?;
        let agents = found.items.clone();
        let items = self
            .store
            .read(caller.scope(), "agent_list_heard", move |tx| {
                agents.iter().map(|one| shown(tx, one.clone())).collect::<Result<Vec<_>>>()
            })
            .await?;
        Ok(Listing { items, ..found })
    }

    /// One agent.
    pub async fn agent_get(&self, caller: &Caller, id: AgentId) -> Result<Agent> {
        self.store
            .read(caller.scope(), "agent_get", move |tx| {
                let agent = resource::get(tx, id)?;
                shown(tx, agent)
            })
            .await
    }

    /// Changes an agent's name, its labels, and whether it may work.
    pub async fn agent_update(&self, caller: &Caller, id: AgentId, replace: Replace<UpdateAgent>) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        let replace = replace.without(OBSERVED);
        self.heartbeats.forget(caller.tenant(), id);
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Agent(id))?;
            let current: Agent = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let body = replace.body.clone();
            let mut next = Agent {
                name: body.name,
                labels: body.labels,
                enabled: body.enabled,
                status: status_after(current.status, body.enabled),
                updated_at: notes.now(),
                ..current.clone()
            };
            resource::update(tx, &mut next)?;
            if let Some(mut identity) = identities::find(tx, id)? {
                identity.name.clone_from(&next.name);
                identities::update(tx, &identity)?;
                match (current.enabled, next.enabled) {
                    // Its stream ends with its tokens; what it has in hand it settles by itself.
                    (true, false) => revocation::revoke(tx, &Revoked::Principal(id.uuid()), until(notes.now()))?,
                    (false, true) if !is_locked(&identity)? => revocation::restore(tx, id.uuid())?,
                    (true, true) | (false, false | true) => {}
                }
            }
            notes.event("agent", id, None, "agent.updated", resource::as_json(&next)?);
            let before = resource::as_json(&current)?;
            let after = shown(tx, next)?;
            Change::done("agent", id, &before, after)
        })
        .await
    }

    /// Removes an agent: its key is worth nothing from now on, and targets that named it have no agent.
    pub async fn agent_delete(&self, caller: &Caller, id: AgentId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.heartbeats.forget(caller.tenant(), id);
        self.mutate(caller, move |tx, notes| {
            let targets = target::of_agent(tx, id)?;
            for one in &targets {
                tx.lock(&Lock::Target(one.id))?;
            }
            tx.lock(&Lock::Agent(id))?;
            let current: Agent = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            for mut one in target::of_agent(tx, id)? {
                let before = resource::as_json(&one)?;
                (one.agent_id, one.status, one.updated_at) = (None, TargetStatus::Unreachable, notes.now());
                resource::update::<Target>(tx, &mut one)?;
                let after = resource::as_json(&one)?;
                let patch = plimsoll_core::audit::merge_patch(&before, &after);
                notes.audit("target_lost_agent", "target", one.id, Some(patch));
                notes.event("target", one.id, Some(one.environment_id.uuid()), "target.updated", after);
            }
            if let Some(mut identity) = identities::find(tx, id)? {
                identity.revoked_at = Some(notes.now());
                identities::update(tx, &identity)?;
            }
            revocation::revoke(tx, &Revoked::Principal(id.uuid()), until(notes.now()))?;
            resource::soft_delete(tx, &current, notes.now())?;
            rows::remove_beat(tx, id)?;
            notes.event("agent", id, None, "agent.deleted", json!({}));
            Ok(Change::gone("agent", id))
        })
        .await
    }
}

/// Until when tokens of an agent are refused that must not live on.
const fn until(now: Timestamp) -> Timestamp {
    now.plus_seconds(TOKENS_SECONDS)
}

fn is_locked(identity: &AgentIdentity) -> Result<bool> {
    Ok(matches!(join_state(identity)?, JoinState::Locked { .. }))
}

fn join_state(identity: &AgentIdentity) -> Result<JoinState> {
    serde_json::from_str(&identity.join_state)
        .map_err(|cause| Error::internal_defect(format!("a stored join state does not fit: {cause}")))
}

/// A person switches an agent on or off; switched on, it counts as offline until it is heard.
const fn status_after(status: AgentStatus, enabled: bool) -> AgentStatus {
    match (status, enabled) {
        (_, false) => AgentStatus::Disabled,
        (AgentStatus::Disabled, true) => AgentStatus::Offline,
        (AgentStatus::Online | AgentStatus::Degraded | AgentStatus::Offline, true) => status,
    }
}

/// An agent as last heard, and why it may not sign in.
fn shown(tx: &mut Tx<'_>, agent: Agent) -> Result<Agent> {
    let mut agent = rows::as_heard(tx, agent)?;
    let Some(identity) = identities::find(tx, agent.id)? else { return Ok(agent) };
    agent.locked_reason = match join_state(&identity)? {
        JoinState::Locked { since, ahead, behind, ahead_address, behind_address } => Some(format!(
            "since {since} two hosts have used this agent's key: one at {} that is ahead (request {}), and one at {} \
             behind it (request {}); stop the copy and unlock the agent with POST /agents/{{id}}/unlock and keep \
             \"ahead\" or \"behind\", or remove the agent and enrol the host anew",
            ahead_address.as_deref().unwrap_or("an unknown address"),
            ahead.seq,
            behind_address.as_deref().unwrap_or("an unknown address"),
            behind.seq
        )),
        JoinState::Enrolled | JoinState::Joined { .. } => None,
    };
    Ok(agent)
}
