//! Events: written with the change that caused them, read by position.
//!
//! Nothing reads events by insertion order: on PostgreSQL a number taken before the commit may become
//! visible after a later one. The sequencer gives dense positions per tenant to what is committed.

use plimsoll_core::{
    Result, Timestamp,
    id::{EventId, TenantId},
};

use crate::{IntoValue as _, Tx, params, work};

/// The sequencer takes at most so many events in one transaction.
const BATCH: i64 = 500;
/// Events that one statement gives positions to, the most first: four texts serve any number.
const STEPS: [usize; 4] = [64, 16, 4, 1];
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
    // Taken and removed by one statement: what is committed between two would be removed without a position.
    let rows = tx.query(
        "DELETE FROM unsequenced WHERE (at, event_id) IN
           (SELECT at, event_id FROM unsequenced ORDER BY at, event_id LIMIT $1)
         RETURNING tenant_id, at, event_id",
        params![BATCH],
    )?;
    let mut taken = Vec::with_capacity(rows.len());
    for row in rows {
        let mut row = row.reader();
        taken.push((row.next::<TenantId>()?, row.next::<Timestamp>()?, row.next::<String>()?));
    }
    taken.sort_unstable();
    let mut positioned = Vec::with_capacity(taken.len());
    for of_tenant in taken.chunk_by(|one, other| one.0 == other.0) {
        let Some((tenant, _, _)) = of_tenant.first() else { continue };
        let last = last_position(tx, *tenant)?;
        positioned
            .extend((last + 1..).zip(of_tenant).map(|(position, (tenant, _, id))| (*tenant, position, id.as_str())));
    }
    let mut rest = positioned.as_slice();
    while let Some(size) = STEPS.into_iter().find(|size| *size <= rest.len()) {
        let (now, later) = rest.split_at(size);
        give_positions(tx, now)?;
        rest = later;
    }
    if !taken.is_empty() {
        tx.wake_after_commit();
    }
    Ok(Some(taken.len()))
}

fn last_position(tx: &mut Tx<'_>, tenant: TenantId) -> Result<i64> {
    tx.query_one("SELECT coalesce(max(position), 0) FROM event_position WHERE tenant_id = $1", params![tenant])?.first()
}

/// Writes the positions of a few events in one statement.
fn give_positions(tx: &mut Tx<'_>, events: &[(TenantId, i64, &str)]) -> Result<()> {
    let row = |first: usize| {
        format!("(CAST(${} AS TEXT), CAST(${} AS BIGINT), CAST(${} AS TEXT))", first + 1, first + 2, first + 3)
    };
    let rows: Vec<String> = (0..events.len()).map(|index| row(index * 3)).collect();
    // Audit rows share the sequence: they are taken into the same log, but have no stream.
    let sql = format!(
        "INSERT INTO event_position (tenant_id, position, event_id, topic, resource_id, parent_id)
         SELECT v.column1, v.column2, v.column3, coalesce(e.topic, 'audit'), coalesce(e.resource_id, ''), e.parent_id
         FROM (VALUES {}) AS v LEFT JOIN event e ON e.tenant_id = v.column1 AND e.id = v.column3",
        rows.join(", ")
    );
    let mut values = Vec::with_capacity(events.len() * 3);
    for (tenant, position, id) in events {
        values.extend([(*tenant).into_value(), (*position).into_value(), (*id).into_value()]);
    }
    tx.execute(&sql, &values).map(drop)
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
    let rows = match followed {
        Followed::Topic(topic) => tx.query(
            &format!("{SELECT} AND p.topic = $3 ORDER BY p.position LIMIT $4"),
            params![tenant, position, *topic, limit],
        )?,
        Followed::Resource(topic, id) => tx.query(OF_RESOURCE, params![tenant, position, *topic, id, limit])?,
    };
    rows.into_iter().map(read).collect()
}

/// Positions and their events, after `$2`.
const SELECT: &str = "SELECT p.position, e.at, e.topic, e.resource_id, e.type, e.data FROM event_position p
   JOIN event e ON e.tenant_id = p.tenant_id AND e.id = p.event_id WHERE p.tenant_id = $1 AND p.position > $2";

/// A resource's own events and those of its parts. Each half is a range of one index; asked for with OR, neither
/// index serves, and every event of the tenant is looked at.
pub const OF_RESOURCE: &str = "SELECT p.position, e.at, e.topic, e.resource_id, e.type, e.data FROM
     (SELECT position, event_id FROM
        (SELECT position, event_id FROM event_position
         WHERE tenant_id = $1 AND topic = $3 AND resource_id = $4 AND position > $2 ORDER BY position LIMIT $5) AS own
      UNION ALL
      SELECT position, event_id FROM
        (SELECT position, event_id FROM event_position
         WHERE tenant_id = $1 AND parent_id = $4 AND position > $2 AND NOT (topic = $3 AND resource_id = $4)
         ORDER BY position LIMIT $5) AS parts) AS p
   JOIN event e ON e.tenant_id = $1 AND e.id = p.event_id
   ORDER BY p.position LIMIT $5";

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

/// Whether committed events of what is followed still wait for their positions. What else happens in the
/// tenant is no matter: somebody is always at work there.
pub fn still_unsequenced(tx: &mut Tx<'_>, followed: &Followed) -> Result<bool> {
    let tenant = tx.tenant()?;
    let select = "SELECT e.id FROM unsequenced u JOIN event e ON e.tenant_id = u.tenant_id AND e.id = u.event_id
       WHERE u.tenant_id = $1";
    let found = match followed {
        Followed::Topic(topic) => {
            tx.query_opt(&format!("{select} AND e.topic = $2 LIMIT 1"), params![tenant, *topic])?
        }
        Followed::Resource(topic, id) => tx.query_opt(
            &format!("{select} AND ((e.topic = $2 AND e.resource_id = $3) OR e.parent_id = $3) LIMIT 1"),
            params![tenant, *topic, id],
        )?,
    };
    Ok(found.is_some())
}
