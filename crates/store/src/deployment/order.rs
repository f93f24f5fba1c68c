//! What agents were told about tasks: offers until they are acked, cancels until they are answered.

use plimsoll_core::{
    Result, Timestamp,
    id::{AgentId, TargetId, TaskId, TenantId},
};

use crate::{Tx, params};

/// An order as it was signed, kept so that a resend says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOrder {
    /// About which task.
    pub task: TaskId,
    /// At which epoch.
    pub epoch: u64,
    /// The order's text.
    pub text: String,
    /// The signature's value.
    pub signature: String,
    /// The signing key's id.
    pub key_id: String,
}

/// A task goes to an agent: until when it must be answered, and nothing of an earlier offer.
pub fn begin(tx: &mut Tx<'_>, task: TaskId, deadline: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "task",
        "UPDATE task SET deadline = $3, acked_at = NULL, cancel_requested_at = NULL WHERE tenant_id = $1 AND id = $2",
        params![tenant, task, deadline],
    )
}

/// Keeps the order of a task that was just offered. One that is to be cancelled already keeps its deadline.
pub fn keep(tx: &mut Tx<'_>, order: &KeptOrder, deadline: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "task",
        "UPDATE task SET order_text = $3, order_signature = $4, order_key = $5, order_epoch = $7,
           deadline = CASE WHEN cancel_requested_at IS NULL THEN $6 ELSE deadline END
         WHERE tenant_id = $1 AND id = $2",
        params![tenant, order.task, &order.text, &order.signature, &order.key_id, deadline, order.epoch as i64],
    )
}

/// Orders for an agent that it has not acked.
pub fn unacked(tx: &mut Tx<'_>, agent: AgentId) -> Result<Vec<KeptOrder>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT id, epoch, order_text, order_signature, order_key FROM task
         WHERE tenant_id = $1 AND agent_id = $2 AND status = 'assigned' AND acked_at IS NULL AND order_epoch = epoch
         ORDER BY created_at, id LIMIT 100",
        params![tenant, agent],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(KeptOrder {
                task: row.next()?,
                epoch: row.next::<i64>()? as u64,
                text: row.next()?,
                signature: row.next()?,
                key_id: row.next()?,
            })
        })
        .collect()
}

/// Notes that the agent has the task on its disk.
pub fn ack(tx: &mut Tx<'_>, task: TaskId, epoch: u64, at: Timestamp) -> Result<bool> {
    let tenant = tx.tenant()?;
    let acked = tx.execute(
        "UPDATE task SET acked_at = $4 WHERE tenant_id = $1 AND id = $2 AND epoch = $3 AND acked_at IS NULL",
        params![tenant, task, epoch as i64, at],
    )?;
    Ok(acked == 1)
}

/// Notes that a task in hand is to be cancelled. Its deadline moves no more: an agent that cannot be told
/// has stopped by itself when its lease ran out.
pub fn request_cancel(tx: &mut Tx<'_>, task: TaskId, at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "UPDATE task SET cancel_requested_at = coalesce(cancel_requested_at, $3) WHERE tenant_id = $1 AND id = $2",
        params![tenant, task, at],
    )
    .map(drop)
}

/// Tasks of an agent that are to be cancelled, with their epochs.
pub fn cancels(tx: &mut Tx<'_>, agent: AgentId) -> Result<Vec<(TaskId, u64)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT id, epoch FROM task WHERE tenant_id = $1 AND agent_id = $2 AND cancel_requested_at IS NOT NULL
           AND status IN ('assigned', 'running', 'verifying')",
        params![tenant, agent],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next::<i64>()? as u64))
        })
        .collect()
}

/// When a task in hand must have answered.
pub fn deadline(tx: &mut Tx<'_>, task: TaskId) -> Result<Option<Timestamp>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt("SELECT deadline FROM task WHERE tenant_id = $1 AND id = $2", params![tenant, task])?;
    Ok(row.map(crate::Row::first::<Option<Timestamp>>).transpose()?.flatten())
}

/// Moves the deadline of a task that its agent named when it renewed its lease. One being cancelled keeps its.
pub fn extend(tx: &mut Tx<'_>, task: TaskId, epoch: u64, deadline: Timestamp) -> Result<u64> {
    let tenant = tx.tenant()?;
    tx.execute(
        "UPDATE task SET deadline = $4 WHERE tenant_id = $1 AND id = $2 AND epoch = $3 AND cancel_requested_at IS NULL
           AND status IN ('assigned', 'running', 'verifying')",
        params![tenant, task, epoch as i64, deadline],
    )
}

/// Moves the deadlines of an agent's offers that it has not acked: it cannot name them yet.
pub fn extend_unacked(tx: &mut Tx<'_>, agent: AgentId, deadline: Timestamp) -> Result<u64> {
    let tenant = tx.tenant()?;
    tx.execute(
        "UPDATE task SET deadline = $3 WHERE tenant_id = $1 AND agent_id = $2 AND cancel_requested_at IS NULL
           AND status = 'assigned' AND acked_at IS NULL",
        params![tenant, agent, deadline],
    )
}

/// The agent said how the task ended: its lease has no more to do with it.
pub fn answered(tx: &mut Tx<'_>, task: TaskId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("UPDATE task SET deadline = NULL WHERE tenant_id = $1 AND id = $2", params![tenant, task]).map(drop)
}

/// The latest deadline that another agent than `agent` let pass without a word about this target.
pub fn missed_by_others(tx: &mut Tx<'_>, target: TargetId, agent: AgentId) -> Result<Option<Timestamp>> {
    let tenant = tx.tenant()?;
    let row = tx.query_one(
        "SELECT max(deadline) FROM task
         WHERE tenant_id = $1 AND target_id = $2 AND status = 'unknown' AND agent_id <> $3",
        params![tenant, target, agent],
    )?;
    row.first::<Option<Timestamp>>()
}

/// Tasks whose agent is silent past its deadline, in any tenant; in a system transaction.
pub fn overdue(tx: &mut Tx<'_>, now: Timestamp) -> Result<Vec<(TenantId, TaskId)>> {
    let rows = tx.query(
        "SELECT tenant_id, id FROM task WHERE status IN ('assigned', 'running', 'verifying') AND deadline <= $1
         ORDER BY deadline LIMIT 500",
        params![now],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// The text of the last order that was signed for a task.
pub fn last_text(tx: &mut Tx<'_>, task: TaskId) -> Result<Option<String>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt("SELECT order_text FROM task WHERE tenant_id = $1 AND id = $2", params![tenant, task])?;
    Ok(row.map(crate::Row::first::<Option<String>>).transpose()?.flatten())
}

/// Whether the task's order at this epoch is signed and kept.
pub fn has_order(tx: &mut Tx<'_>, task: TaskId, epoch: u64) -> Result<bool> {
    let tenant = tx.tenant()?;
    let found = tx.query_opt(
        "SELECT order_epoch FROM task WHERE tenant_id = $1 AND id = $2 AND order_epoch = $3",
        params![tenant, task, epoch as i64],
    )?;
    Ok(found.is_some())
}

/// Whether the task was told to stop.
pub fn is_cancelled(tx: &mut Tx<'_>, task: TaskId) -> Result<bool> {
    let tenant = tx.tenant()?;
    let row =
        tx.query_opt("SELECT cancel_requested_at FROM task WHERE tenant_id = $1 AND id = $2", params![tenant, task])?;
    Ok(row.map(crate::Row::first::<Option<Timestamp>>).transpose()?.flatten().is_some())
}
