//! Questions to agents about targets.

use plimsoll_core::{
    Result, Timestamp,
    id::{AgentId, TargetId},
};
use uuid::Uuid;

use crate::{Tx, params};

/// A question that waits for its agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Names it.
    pub id: Uuid,
    /// About which target.
    pub target: TargetId,
    /// In the words of the agent's protocol.
    pub kind: String,
    /// Until when somebody waits.
    pub deadline: Timestamp,
}

/// Asks.
pub fn ask(tx: &mut Tx<'_>, agent: AgentId, question: &Question, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO observation (tenant_id, id, agent_id, target_id, kind, created_at, deadline) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![tenant, question.id, agent, question.target, &question.kind, now, question.deadline],
    )?;
    tx.execute(
        "DELETE FROM observation WHERE tenant_id = $1 AND deadline < $2",
        params![tenant, now.plus_seconds(-600)],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// Whether somebody waits for an answer about the target.
pub fn is_asked(tx: &mut Tx<'_>, target: TargetId, now: Timestamp) -> Result<bool> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT id FROM observation WHERE tenant_id = $1 AND target_id = $2 AND report IS NULL AND deadline > $3 LIMIT 1",
        params![tenant, target, now],
    )?;
    Ok(row.is_some())
}

/// What an agent has not answered.
pub fn open(tx: &mut Tx<'_>, agent: AgentId, now: Timestamp) -> Result<Vec<Question>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT id, target_id, kind, deadline FROM observation
         WHERE tenant_id = $1 AND agent_id = $2 AND report IS NULL AND deadline > $3 ORDER BY created_at LIMIT 50",
        params![tenant, agent, now],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(Question { id: row.next()?, target: row.next()?, kind: row.next()?, deadline: row.next()? })
        })
        .collect()
}

/// Keeps the agent's answer. `false` when nobody asked this agent.
pub fn answer(tx: &mut Tx<'_>, agent: AgentId, id: Uuid, report: &str) -> Result<bool> {
    let tenant = tx.tenant()?;
    let known = tx.execute(
        "UPDATE observation SET report = $4 WHERE tenant_id = $1 AND agent_id = $2 AND id = $3 AND report IS NULL",
        params![tenant, agent, id, report],
    )?;
    tx.wake_after_commit();
    Ok(known == 1)
}

/// The answer, when it is there.
pub fn report(tx: &mut Tx<'_>, id: Uuid) -> Result<Option<String>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt("SELECT report FROM observation WHERE tenant_id = $1 AND id = $2", params![tenant, id])?;
    Ok(row.map(crate::Row::first::<Option<String>>).transpose()?.flatten())
}

/// Keeps what was seen last of a target, in the words of the agent's protocol; an older sight changes nothing.
pub fn keep_sight(tx: &mut Tx<'_>, target: TargetId, at: Timestamp, seen: &str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO target_sight (tenant_id, target_id, at, body) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, target_id) DO UPDATE SET at = excluded.at, body = excluded.body
         WHERE target_sight.at <= excluded.at",
        params![tenant, target, at, seen],
    )
    .map(drop)
}

/// What was seen last of a target, and when.
pub fn sight(tx: &mut Tx<'_>, target: TargetId) -> Result<Option<(Timestamp, String)>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT at, body FROM target_sight WHERE tenant_id = $1 AND target_id = $2",
        params![tenant, target],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok((row.next()?, row.next()?))
    })
    .transpose()
}
