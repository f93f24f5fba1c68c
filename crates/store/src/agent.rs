//! Agents as rows, and beside them what each last told of itself.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, Result, Timestamp,
    id::{AgentId, TaskId, TenantId},
    inventory::{Agent, AgentResources, AgentStatus, Capability},
};
use serde::{Deserialize, Serialize};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

const STATUSES: &[&str] = &[
    AgentStatus::Online.as_str(),
    AgentStatus::Degraded.as_str(),
    AgentStatus::Offline.as_str(),
    AgentStatus::Disabled.as_str(),
];

/// Rows a statement: SQLite takes 32766 parameters, four go into a row.
const ROWS: usize = 1000;

impl Resource for Agent {
    type Id = AgentId;
    const TABLE: Table = Table {
        name: "agent",
        noun: "agent",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "hostname", column: "hostname", kind: FieldKind::Text, sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(STATUSES), sortable: true },
            Field { api: "enabled", column: "enabled", kind: FieldKind::Bool, sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], "")],
    };
    fn id(&self) -> AgentId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.name.as_str().into_value(),
            self.hostname.as_str().into_value(),
            self.status.as_str().into_value(),
            self.enabled.into_value(),
            self.updated_at.into_value(),
        ]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// What an agent told of itself in one heartbeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Beat {
    /// Its program's version.
    pub version: String,
    /// The version of what it speaks with the server.
    pub protocol_version: u32,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Its host's means.
    pub resources: AgentResources,
    /// The tasks in its hands.
    pub running_tasks: Vec<TaskId>,
}

/// Writes what agents told last, a statement for every thousand.
pub fn put_beats(tx: &mut Tx<'_>, beats: &[(AgentId, Timestamp, Beat)]) -> Result<()> {
    let tenant = tx.tenant()?;
    for chunk in beats.chunks(ROWS) {
        let mut values = Vec::with_capacity(chunk.len() * 4);
        let mut rows = Vec::with_capacity(chunk.len());
        for (agent, at, beat) in chunk {
            let body = serde_json::to_string(beat)
                .map_err(|cause| Error::internal_defect(format!("a heartbeat is not JSON: {cause}")))?;
            let first = values.len() + 1;
            rows.push(format!("(${first}, ${}, ${}, ${})", first + 1, first + 2, first + 3));
            values.extend([tenant.into_value(), agent.into_value(), at.into_value(), body.into_value()]);
        }
        let sql = format!(
            "INSERT INTO agent_beat (tenant_id, agent_id, at, body) VALUES {}
             ON CONFLICT (tenant_id, agent_id) DO UPDATE SET at = excluded.at, body = excluded.body
             WHERE agent_beat.at < excluded.at",
            rows.join(", ")
        );
        tx.execute(&sql, &values)?;
    }
    Ok(())
}

/// The agent as it was last heard.
pub fn as_heard(tx: &mut Tx<'_>, agent: Agent) -> Result<Agent> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT at, body FROM agent_beat WHERE tenant_id = $1 AND agent_id = $2",
        params![tenant, agent.id],
    )?;
    let Some(row) = row else { return Ok(agent) };
    let mut row = row.reader();
    let (at, beat) = (row.next::<Timestamp>()?, row.next_json::<Beat>()?);
    Ok(heard(agent, at, beat))
}

/// An agent with what it told at `at`.
#[must_use]
pub fn heard(mut agent: Agent, at: Timestamp, beat: Beat) -> Agent {
    agent.last_heartbeat_at = Some(at);
    agent.version = beat.version;
    agent.protocol_version = beat.protocol_version;
    agent.capabilities = beat.capabilities;
    agent.resources = Some(beat.resources);
    agent.running_tasks = beat.running_tasks;
    agent
}

/// Forgets what a removed agent told.
pub fn remove_beat(tx: &mut Tx<'_>, agent: AgentId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM agent_beat WHERE tenant_id = $1 AND agent_id = $2", params![tenant, agent]).map(drop)
}

/// The stored status of those of these agents that are not removed.
pub fn statuses(tx: &mut Tx<'_>, agents: &[AgentId]) -> Result<BTreeMap<AgentId, AgentStatus>> {
    let tenant = tx.tenant()?;
    let mut found = BTreeMap::new();
    for chunk in agents.chunks(ROWS) {
        let places: Vec<String> = (0..chunk.len()).map(|index| format!("${}", index + 2)).collect();
        let mut values = vec![tenant.into_value()];
        values.extend(chunk.iter().map(|agent| agent.into_value()));
        let sql = format!(
            "SELECT id, status FROM agent WHERE tenant_id = $1 AND deleted_at IS NULL AND id IN ({})",
            places.join(", ")
        );
        for row in tx.query(&sql, &values)? {
            let mut row = row.reader();
            found.insert(row.next()?, row.next::<String>()?.parse()?);
        }
    }
    Ok(found)
}

/// Writes an agent's new status. No person changed it, so the revision stays. `false` when somebody changed
/// the agent meanwhile.
pub fn set_status(tx: &mut Tx<'_>, agent: &Agent) -> Result<bool> {
    resource::update_observed(tx, agent)
}

/// Agents that count as heard although they have been silent since `silent_since`, of all tenants; in a
/// system transaction.
pub fn silent(tx: &mut Tx<'_>, status: AgentStatus, silent_since: Timestamp) -> Result<Vec<(TenantId, AgentId)>> {
    let rows = tx.query(
        "SELECT a.tenant_id, a.id FROM agent a JOIN agent_beat b ON b.tenant_id = a.tenant_id AND b.agent_id = a.id
         WHERE a.deleted_at IS NULL AND a.status = $1 AND b.at <= $2 ORDER BY b.at LIMIT 1000",
        params![status.as_str(), silent_since],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// When an agent was last heard, as stored.
pub fn last_beat(tx: &mut Tx<'_>, agent: AgentId) -> Result<Option<Timestamp>> {
    let tenant = tx.tenant()?;
    let row =
        tx.query_opt("SELECT at FROM agent_beat WHERE tenant_id = $1 AND agent_id = $2", params![tenant, agent])?;
    row.map(crate::Row::first).transpose()
}

/// A name that no living agent of the tenant has: `wanted`, or with the first free number behind it.
pub fn free_name(tx: &mut Tx<'_>, wanted: &str) -> Result<String> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT name FROM agent WHERE tenant_id = $1 AND deleted_at IS NULL AND name >= $2 AND name < $3",
        params![tenant, wanted, format!("{wanted}\u{10ffff}")],
    )?;
    let taken = rows.into_iter().map(crate::Row::first).collect::<Result<std::collections::BTreeSet<String>>>()?;
    let mut name = wanted.to_owned();
    let mut number = 1_u32;
    while taken.contains(&name) {
        number += 1;
        name = format!("{wanted}-{number}");
    }
    Ok(name)
}
