//! Heartbeats: kept in memory, written for many agents at once, or at once when a status changes.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, MutexGuard, PoisonError},
};

use plimsoll_core::{
    Error, Result, Timestamp,
    audit::{Principal, PrincipalType},
    id::{AgentId, TenantId, TypedId},
    inventory::{
        Agent, AgentStatus,
        agent::{DEGRADED_BEATS, OFFLINE_BEATS},
    },
};
use plimsoll_protocol::agent::{
    enrol::{AgentHealth, HeartbeatAnswer, HeartbeatRequest},
    is_spoken,
};
use plimsoll_store::{
    Lock, Tx,
    agent::{self as rows, Beat},
    deployment::order,
    resource,
};
use serde_json::json;

use crate::{App, Caller, Notes, deployment};

/// An agent that is silent for so long is no longer kept in memory.
const FORGOTTEN_SECONDS: i64 = 600;
/// How often beats are written at the most seldom; more often where agents beat faster, so that a beat is
/// written well before its agent could count as silent. With a step every 5 s that is at most 15 s after it came.
const WRITTEN_EVERY_SECONDS: u32 = 10;

#[derive(Clone, Debug)]
struct Heard {
    at: Timestamp,
    beat: Beat,
    status: AgentStatus,
    written: bool,
}

/// The last beat of each agent that this replica heard.
#[derive(Debug, Default)]
pub struct Heartbeats(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    beats: HashMap<(TenantId, AgentId), Heard>,
    taken_at: Option<Timestamp>,
}

impl Heartbeats {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next beat of this agent is written at once: its status was changed elsewhere.
    pub(crate) fn forget(&self, tenant: TenantId, agent: AgentId) {
        self.lock().beats.remove(&(tenant, agent));
    }

    /// Keeps a beat; answers whether it must be written now.
    fn keep(&self, tenant: TenantId, agent: AgentId, heard: Heard) -> bool {
        let status = heard.status;
        let before = self.lock().beats.insert((tenant, agent), heard);
        before.is_none_or(|before| before.status != status)
    }

    /// What was heard since it was last taken, by tenant; nothing when that was just before.
    fn take(&self, now: Timestamp, every_seconds: u32) -> BTreeMap<TenantId, Vec<(AgentId, Heard)>> {
        let mut kept = self.lock();
        if kept.taken_at.is_some_and(|at| (0..i64::from(every_seconds)).contains(&now.seconds_since(at))) {
            return BTreeMap::new();
        }
        kept.taken_at = Some(now);
        let beats = &mut kept.beats;
        beats.retain(|_, heard| now.seconds_since(heard.at) < FORGOTTEN_SECONDS);
        let mut taken: BTreeMap<TenantId, Vec<(AgentId, Heard)>> = BTreeMap::new();
        for ((tenant, agent), heard) in beats.iter_mut().filter(|(_, heard)| !heard.written) {
            heard.written = true;
            taken.entry(*tenant).or_default().push((*agent, heard.clone()));
        }
        taken
    }
}

impl App {
    /// Takes an agent's heartbeat; answers what the server wants of it.
    pub async fn agent_heartbeat(
        &self,
        caller: &Caller,
        id: AgentId,
        body: HeartbeatRequest,
    ) -> Result<HeartbeatAnswer> {
        if caller.principal.kind != PrincipalType::Agent || caller.principal.id != id.uuid() {
            // To an agent, the others are not there.
            return Err(Error::not_found(id));
        }
        let heard = heard(body, caller.now);
        let now_or_never = self.heartbeats.keep(caller.tenant(), id, heard.clone());
        if now_or_never {
            let written = self.write_beats(&caller.principal, vec![(id, heard)]).await;
            if written.is_err() {
                self.heartbeats.forget(caller.tenant(), id);
            }
            written?;
        }
        let cancels = self
            .store
            .read(caller.scope(), "agent_heartbeat", move |tx| {
                resource::get::<Agent>(tx, id)?;
                order::cancels(tx, id)
            })
            .await?;
        Ok(HeartbeatAnswer {
            server_time: self.context.now(),
            heartbeat_seconds: self.settings.heartbeat_seconds,
            cancel_tasks: cancels.into_iter().map(|(task, _)| task).collect(),
            rotate_key: false,
            upgrade_to: None,
        })
    }

    /// One step of [`crate::tasks::agents`].
    pub async fn agents_step(&self) -> Result<()> {
        self.flush_heartbeats().await?;
        self.mark_silent_agents().await
    }

    /// Writes all that was heard since the last time.
    async fn flush_heartbeats(&self) -> Result<()> {
        let every_seconds = WRITTEN_EVERY_SECONDS.min(self.settings.heartbeat_seconds);
        for (tenant, beats) in self.heartbeats.take(self.context.now(), every_seconds) {
            let agents: Vec<AgentId> = beats.iter().map(|(agent, _)| *agent).collect();
            if let Err(error) = self.write_beats(&system(tenant), beats).await {
                // What could not be written is written with the next beat.
                for agent in agents {
                    self.heartbeats.forget(tenant, agent);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    async fn write_beats(&self, principal: &Principal, beats: Vec<(AgentId, Heard)>) -> Result<()> {
        self.act(principal, "agent_beats", move |tx, notes| {
            let agents: Vec<AgentId> = beats.iter().map(|(agent, _)| *agent).collect();
            let stored = rows::statuses(tx, &agents)?;
            let living: Vec<(AgentId, Timestamp, Beat)> = beats
                .iter()
                .filter(|(agent, _)| stored.contains_key(agent))
                .map(|(agent, heard)| (*agent, heard.at, heard.beat.clone()))
                .collect();
            rows::put_beats(tx, &living)?;
            for (agent, heard) in &beats {
                if stored.get(agent).is_some_and(|known| known.after_beat(heard.status) != *known) {
                    change_status(tx, notes, *agent, |known| known.after_beat(heard.status))?;
                }
            }
            Ok(())
        })
        .await
    }

    /// Marks agents that are silent for too long. A server that was away itself first gives them the time to
    /// be heard.
    async fn mark_silent_agents(&self) -> Result<()> {
        let (now, beat) = (self.context.now(), self.settings.heartbeat_seconds);
        if now.seconds_since(self.started_at) < DEGRADED_BEATS * i64::from(beat) {
            return Ok(());
        }
        let scope = plimsoll_store::Scope::System(plimsoll_store::SystemReason::Sweep);
        let silent = self
            .store
            .read(scope, "silent_agents", move |tx| {
                let since = |beats: i64| now.plus_seconds(-beats * i64::from(beat));
                let mut silent = rows::silent(tx, AgentStatus::Online, since(DEGRADED_BEATS))?;
                silent.extend(rows::silent(tx, AgentStatus::Degraded, since(OFFLINE_BEATS))?);
                Ok(silent)
            })
            .await?;
        for (tenant, agent) in silent {
            self.act(&system(tenant), "agent_silent", move |tx, notes| {
                let Some(last) = rows::last_beat(tx, agent)? else { return Ok(()) };
                change_status(tx, notes, agent, |known| known.after_silence(now.seconds_since(last), beat))
            })
            .await?;
            self.heartbeats.forget(tenant, agent);
        }
        Ok(())
    }
}

fn heard(body: HeartbeatRequest, at: Timestamp) -> Heard {
    let status = match body.status {
        AgentHealth::Online if is_spoken(body.protocol_version) => AgentStatus::Online,
        AgentHealth::Online | AgentHealth::Degraded => AgentStatus::Degraded,
    };
    let beat = Beat {
        version: body.version,
        protocol_version: body.protocol_version,
        capabilities: body.capabilities,
        resources: body.resources,
        running_tasks: body.running_tasks.iter().map(|held| held.task_id).collect(),
    };
    Heard { at, beat, status, written: false }
}

/// Changes an agent's status, if `next` says so, with its event and its line in the trail.
fn change_status(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    id: AgentId,
    next: impl Fn(AgentStatus) -> AgentStatus,
) -> Result<()> {
    tx.lock(&Lock::Agent(id))?;
    let Some(mut agent) = resource::find::<Agent>(tx, id)? else { return Ok(()) };
    let (before, after) = (agent.status, next(agent.status));
    if before == after {
        return Ok(());
    }
    agent.status = after;
    if rows::set_status(tx, &agent)? {
        notes.audit("agent_status", "agent", id, Some(json!({ "status": after })));
        notes.event("agent", id, None, "agent.status_changed", json!({ "from": before, "to": after }));
        if matches!(before, AgentStatus::Offline | AgentStatus::Degraded) {
            // Jobs that wait for its targets can go on: it is there again, or speaks as we do.
            for target in super::targets_of(tx, id)? {
                deployment::wake_waiting(tx, target.id, notes.now())?;
            }
        }
    }
    Ok(())
}

/// The server itself, acting for a tenant.
fn system(tenant: TenantId) -> Principal {
    Principal {
        tenant,
        kind: PrincipalType::System,
        id: uuid::Uuid::nil(),
        user: plimsoll_core::id::UserId::from_uuid(uuid::Uuid::nil()),
        name: "plimsoll".to_owned(),
        roles: Vec::new(),
        grants: plimsoll_core::permission::Grants::default(),
        token_id: String::new(),
    }
}
