//! Forgetting what is kept for a time: a thousand rows a transaction at most, oldest first.
//!
//! How far each kind was forgotten is written down, so that a further look does not begin with what is gone: jobs
//! stay for ever, and so do the audit's positions between those of the events.

use plimsoll_core::{Result, Timestamp, id::TenantId};

use crate::{Row, Tx, params};

/// Rows that one transaction forgets.
pub const CHUNK: i64 = 1000;
/// Jobs that one transaction looks at.
const JOBS: i64 = 50;

/// What belongs to jobs and is forgotten some time after they finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfJobs {
    /// Log lines of their tasks.
    Logs,
    /// What they left behind.
    Artifacts,
}

impl OfJobs {
    const fn name(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Artifacts => "artifacts",
        }
    }

    const fn delete(self) -> &'static str {
        match self {
            Self::Logs => {
                "DELETE FROM task_log WHERE (tenant_id, task_id, first_seq) IN
                   (SELECT l.tenant_id, l.task_id, l.first_seq FROM task t
                    JOIN task_log l ON l.tenant_id = t.tenant_id AND l.task_id = t.id
                    WHERE t.tenant_id = $1 AND t.job_id = $2 LIMIT $3)"
            }
            Self::Artifacts => {
                "DELETE FROM artifact WHERE (tenant_id, id) IN
                   (SELECT tenant_id, id FROM artifact WHERE tenant_id = $1 AND job_id = $2 LIMIT $3)"
            }
        }
    }
}

/// How far events of a tenant were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Floor {
    /// The last position that is gone.
    pub position: i64,
    /// Nothing that happened later is gone.
    pub at: Timestamp,
}

/// Forgets what belongs to jobs that finished at `until` or before; in a system transaction. Answers whether there
/// may be more.
pub fn forget_of_jobs(tx: &mut Tx<'_>, what: OfJobs, until: Timestamp) -> Result<bool> {
    let row = tx.query_opt("SELECT at, job_tenant, job_id FROM forgotten WHERE kind = $1", params![what.name()])?;
    let mut seen = match row {
        Some(row) => {
            let mut row = row.reader();
            (row.next::<i64>()?, row.next::<String>()?, row.next::<String>()?)
        }
        None => (i64::MIN, String::new(), String::new()),
    };
    let jobs = tx.query(
        "SELECT finished_at, tenant_id, id FROM deployment_job
         WHERE (finished_at, tenant_id, id) > ($1, $2, $3) AND finished_at <= $4
         ORDER BY finished_at, tenant_id, id LIMIT $5",
        params![seen.0, &seen.1, &seen.2, until, JOBS],
    )?;
    let (found, mut left) = (jobs.len() as i64, CHUNK);
    for job in jobs {
        let mut job = job.reader();
        let next = (job.next::<i64>()?, job.next::<String>()?, job.next::<String>()?);
        left -= tx.execute(what.delete(), params![&next.1, &next.2, left])? as i64;
        if left <= 0 {
            // This job may have more.
            break;
        }
        seen = next;
    }
    tx.execute(
        "INSERT INTO forgotten (kind, at, job_tenant, job_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (kind) DO UPDATE SET at = excluded.at, job_tenant = excluded.job_tenant, job_id = excluded.job_id",
        params![what.name(), seen.0, &seen.1, &seen.2],
    )?;
    Ok(left <= 0 || found == JOBS)
}

/// Forgets answers that were kept at `until` or before; in a system transaction. Answers whether there may be more.
pub fn forget_answers(tx: &mut Tx<'_>, until: Timestamp) -> Result<bool> {
    let gone = tx.execute(
        "DELETE FROM idempotency WHERE (tenant_id, principal_id, method, path, idempotency_key) IN
           (SELECT tenant_id, principal_id, method, path, idempotency_key FROM idempotency
            WHERE created_at <= $1 ORDER BY created_at LIMIT $2)",
        params![until, CHUNK],
    )?;
    Ok(gone as i64 == CHUNK)
}

/// The next tenant that has events, in the order of their ids; in a system transaction.
pub fn next_tenant(tx: &mut Tx<'_>, after: Option<TenantId>) -> Result<Option<TenantId>> {
    let row = match after {
        Some(after) => tx.query_opt(
            "SELECT tenant_id FROM event_position WHERE tenant_id > $1 ORDER BY tenant_id LIMIT 1",
            params![after],
        )?,
        None => tx.query_opt("SELECT tenant_id FROM event_position ORDER BY tenant_id LIMIT 1", params![])?,
    };
    row.map(Row::first).transpose()
}

/// Forgets a tenant's events of `until` or before, in the order of their positions; in a system transaction. Positions
/// of the audit trail stay, and so does the last one of all, after which the next is counted. Answers whether there
/// may be more.
pub fn forget_events(tx: &mut Tx<'_>, tenant: TenantId, until: Timestamp) -> Result<bool> {
    let floor = floor_of(tx, tenant)?.map_or(0, |floor| floor.position);
    let rows = tx.query(
        "SELECT p.position, e.at FROM event_position p LEFT JOIN event e ON e.tenant_id = p.tenant_id AND e.id = p.event_id
         WHERE p.tenant_id = $1 AND p.position > $2 ORDER BY p.position LIMIT $3",
        params![tenant, floor, CHUNK + 1],
    )?;
    let looked_at = rows.len() as i64;
    let (mut last, mut old) = (None, None);
    for row in rows {
        let mut row = row.reader();
        let (position, at) = (row.next::<i64>()?, row.next::<Option<Timestamp>>()?);
        if at.is_some_and(|at| at > until) {
            break;
        }
        // One behind: the last position of all is never reached.
        (old, last) = (last, Some(position));
    }
    let Some(old) = old else { return Ok(false) };
    let range = params![tenant, floor, old];
    tx.execute(
        "DELETE FROM event WHERE tenant_id = $1 AND id IN
           (SELECT event_id FROM event_position WHERE tenant_id = $1 AND position > $2 AND position <= $3 AND topic <> 'audit')",
        range,
    )?;
    tx.execute(
        "DELETE FROM event_position WHERE tenant_id = $1 AND position > $2 AND position <= $3 AND topic <> 'audit'",
        range,
    )?;
    tx.execute(
        "INSERT INTO event_floor (tenant_id, position, at) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id) DO UPDATE SET position = excluded.position, at = excluded.at",
        params![tenant, old, until],
    )?;
    Ok(looked_at > CHUNK)
}

/// How far the events of the transaction's tenant were forgotten, if ever.
pub fn floor(tx: &mut Tx<'_>) -> Result<Option<Floor>> {
    let tenant = tx.tenant()?;
    floor_of(tx, tenant)
}

fn floor_of(tx: &mut Tx<'_>, tenant: TenantId) -> Result<Option<Floor>> {
    let row = tx.query_opt("SELECT position, at FROM event_floor WHERE tenant_id = $1", params![tenant])?;
    let Some(row) = row else { return Ok(None) };
    let mut row = row.reader();
    Ok(Some(Floor { position: row.next()?, at: row.next()? }))
}
