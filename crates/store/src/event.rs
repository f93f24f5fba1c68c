//! Events: written with the change that caused them, read by position.
//!
//! Nothing reads events by insertion order: on PostgreSQL a number taken before the commit may become
//! visible after a later one. The sequencer gives dense positions per tenant to what is committed.

use plimsoll_core::{
    Result, Timestamp,
    id::{EventId, TenantId},
};

use crate::{Tx, params, work};

/// The sequencer takes at most so many events in one transaction.
const BATCH: i64 = 500;
/// How long a replica holds the sequencer's lease.
const LEASE_SECONDS: i64 = 10;

/// An event as it is written.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// Its id, made before the transaction.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// The kind of resource, such as `promotion`.
    pub topic: &'static str,
    /// Which one.
    pub resource_id: String,
    /// The resource whose stream carries it too (a task's job).
    pub parent_id: Option<String>,
    /// What happened, such as `promotion.approved`.
    pub kind: &'static str,
    /// What followers need to know.
    pub data: serde_json::Value,
}

/// An event as it is followed.
#[derive(Clone, Debug, PartialEq)]
pub struct PositionedEvent {
    /// Dense within the tenant; `seq` on the wire.
    pub position: i64,
    /// When.
    pub at: Timestamp,
    /// The kind of resource.
    pub topic: String,
    /// Which one.
    pub resource_id: String,
    /// What happened.
    pub kind: String,
    /// The event's data.
    pub data: serde_json::Value,
}

/// Writes an event in the transaction of its change.
pub fn append(tx: &mut Tx<'_>, event: &NewEvent) -> Result<()> {
    let tenant = tx.tenant()?;
    let data = event.data.to_string();
    tx.execute(
        "INSERT INTO event (tenant_id, id, at, topic, resource_id, parent_id, type, data) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![tenant, event.id, event.at, event.topic, &event.resource_id, event.parent_id.as_deref(), event.kind, data],
    )?;
    tx.execute(
        "INSERT INTO unsequenced (tenant_id, event_id, at) VALUES ($1, $2, $3)",
        params![tenant, event.id, event.at],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// Gives positions to what is committed; one step of the sequencer, to be run in a system transaction.
/// Answers how many events it took; `None` when another replica holds the lease.
pub fn sequence(tx: &mut Tx<'_>, owner: &str, now: Timestamp) -> Result<Option<usize>> {
    if !work::hold_lease(tx, "sequencer", owner, now, LEASE_SECONDS)? {
        return Ok(None);
    }
    let rows =
        tx.query("SELECT tenant_id, event_id FROM unsequenced ORDER BY at, event_id LIMIT $1", params![BATCH])?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = row.reader();
        taken.push((row.next::<TenantId>()?, row.next::<String>()?));
    }
    let mut tenants: Vec<TenantId> = taken.iter().map(|(tenant, _)| *tenant).collect();
    tenants.sort_unstable();
    tenants.dedup();
    for tenant in tenants {
        sequence_tenant(tx, tenant, taken.iter().filter(|(of, _)| *of == tenant).map(|(_, id)| id.as_str()))?;
    }
    if !taken.is_empty() {
        tx.wake_after_commit();
    }
    Ok(Some(taken.len()))
}

fn sequence_tenant<'a>(tx: &mut Tx<'_>, tenant: TenantId, ids: impl Iterator<Item = &'a str>) -> Result<()> {
    let last = tx
        .query_one("SELECT coalesce(max(position), 0) FROM event_position WHERE tenant_id = $1", params![tenant])?
        .first::<i64>()?;
    let mut position = last;
    for id in ids {
        position += 1;
        // Audit rows share the sequence: they are taken into the same log, but have no stream.
        tx.execute(
            "INSERT INTO event_position (tenant_id, position, event_id, topic, resource_id, parent_id)
             SELECT $1, $2, $3, coalesce(e.topic, 'audit'), coalesce(e.resource_id, ''), e.parent_id
             FROM (SELECT 1 AS one) AS one_row LEFT JOIN event e ON e.tenant_id = $1 AND e.id = $3",
            params![tenant, position, id],
        )?;
        tx.execute("DELETE FROM unsequenced WHERE tenant_id = $1 AND event_id = $2", params![tenant, id])?;
    }
    Ok(())
}

/// What a follower wants to read.
#[derive(Clone, Debug)]
pub enum Followed {
    /// Everything of one kind of resource.
    Topic(&'static str),
    /// One resource and what belongs to it.
    Resource(&'static str, String),
}

/// Events after `position`, in order, at most `limit`.
pub fn after(tx: &mut Tx<'_>, followed: &Followed, position: i64, limit: u32) -> Result<Vec<PositionedEvent>> {
    let tenant = tx.tenant()?;
    let select = "SELECT p.position, e.at, e.topic, e.resource_id, e.type, e.data FROM event_position p
       JOIN event e ON e.tenant_id = p.tenant_id AND e.id = p.event_id WHERE p.tenant_id = $1 AND p.position > $2";
    let rows = match followed {
        Followed::Topic(topic) => tx.query(
            &format!("{select} AND p.topic = $3 ORDER BY p.position LIMIT $4"),
            params![tenant, position, *topic, limit],
        )?,
        Followed::Resource(topic, id) => tx.query(
            &format!(
                "{select} AND ((p.topic = $3 AND p.resource_id = $4) OR p.parent_id = $4) ORDER BY p.position LIMIT $5"
            ),
            params![tenant, position, *topic, id, limit],
        )?,
    };
    rows.into_iter().map(read).collect()
}

fn read(row: crate::Row) -> Result<PositionedEvent> {
    let mut row = row.reader();
    let event = PositionedEvent {
        position: row.next()?,
        at: row.next()?,
        topic: row.next()?,
        resource_id: row.next()?,
        kind: row.next()?,
        data: row.next_json()?,
    };
    Ok(event)
}

/// Whether committed events of the tenant still wait for their positions.
pub fn anything_unsequenced(tx: &mut Tx<'_>) -> Result<bool> {
    let tenant = tx.tenant()?;
    let found = tx.query_opt("SELECT event_id FROM unsequenced WHERE tenant_id = $1 LIMIT 1", params![tenant])?;
    Ok(found.is_some())
}
