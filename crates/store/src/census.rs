//! Counts over all tenants, for the operator's metrics: what is open, and what nothing moves any more.

use plimsoll_core::Result;

use crate::{Tx, params};

/// Rows by status.
pub type ByStatus = Vec<(String, i64)>;

/// What there is now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Agents that were not deleted.
    pub agents: ByStatus,
    /// Jobs that have not ended.
    pub jobs: ByStatus,
    /// Promotions that have not ended.
    pub promotions: ByStatus,
    /// Background work by kind.
    pub work: ByStatus,
    /// Events that have no position yet.
    pub unsequenced: i64,
    /// Evidence that is sealed and not yet signed.
    pub unsigned: i64,
    /// Rows that have not ended and that nothing moves any more, by noun: each is a defect.
    pub stuck: ByStatus,
}

/// Counts, in a transaction across tenants. Each statement reads an index of what is open, not the history.
pub fn take(tx: &mut Tx<'_>) -> Result<Census> {
    Ok(Census {
        agents: pairs(tx, "SELECT status, count(*) FROM agent WHERE deleted_at IS NULL GROUP BY status")?,
        jobs: pairs(tx, &format!("SELECT status, count(*) FROM deployment_job AS j WHERE {OPEN_JOB} GROUP BY status"))?,
        promotions: pairs(
            tx,
            &format!("SELECT status, count(*) FROM promotion AS p WHERE {OPEN_PROMOTION} GROUP BY status"),
        )?,
        work: pairs(tx, "SELECT kind, count(*) FROM work GROUP BY kind")?,
        unsequenced: count(tx, "SELECT count(*) FROM unsequenced")?,
        unsigned: count(tx, "SELECT count(*) FROM evidence_packet WHERE signed = 0")?,
        stuck: vec![
            ("deployment_job".to_owned(), count(tx, &stuck_jobs())?),
            ("task".to_owned(), count(tx, STUCK_TASKS)?),
            ("promotion".to_owned(), count(tx, &stuck_promotions())?),
        ],
    })
}

const OPEN_JOB: &str = "j.status IN ('queued', 'running', 'paused', 'cancelling')";
const OPEN_PROMOTION: &str =
    "p.status IN ('evaluating', 'blocked', 'awaiting_approval', 'scheduled', 'approved', 'deploying')";
const IN_HAND: &str = "t.status IN ('assigned', 'running', 'verifying')";

/// An agent's silence ends a task at its deadline: one in hand without a deadline would stay for ever.
const STUCK_TASKS: &str = "SELECT count(*) FROM task AS t
    WHERE t.status IN ('assigned', 'running', 'verifying') AND t.deadline IS NULL";

/// A job is moved by its work, by a task in an agent's hand, or by the person who paused it.
fn stuck_jobs() -> String {
    format!(
        "SELECT count(*) FROM deployment_job AS j WHERE {OPEN_JOB} AND j.status <> 'paused'
         AND NOT EXISTS (SELECT 1 FROM work AS w
           WHERE w.tenant_id = j.tenant_id AND w.kind = 'deployment_job' AND w.subject = j.id)
         AND NOT EXISTS (SELECT 1 FROM task AS t
           WHERE t.tenant_id = j.tenant_id AND t.job_id = j.id AND {IN_HAND})"
    )
}

/// A promotion is moved by its work, or by its job's end.
fn stuck_promotions() -> String {
    format!(
        "SELECT count(*) FROM promotion AS p WHERE {OPEN_PROMOTION}
         AND NOT EXISTS (SELECT 1 FROM work AS w
           WHERE w.tenant_id = p.tenant_id AND w.kind = 'promotion' AND w.subject = p.id)
         AND NOT EXISTS (SELECT 1 FROM deployment_job AS j
           WHERE j.tenant_id = p.tenant_id AND j.promotion_id = p.id AND {OPEN_JOB})"
    )
}

fn pairs(tx: &mut Tx<'_>, sql: &str) -> Result<ByStatus> {
    let rows = tx.query(sql, params![])?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

fn count(tx: &mut Tx<'_>, sql: &str) -> Result<i64> {
    tx.query_one(sql, params![])?.first()
}
