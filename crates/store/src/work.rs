//! Background work and leases. A claim is fenced: each one raises the row's epoch, and whoever comes back
//! late with an older one can't finish it.

use plimsoll_core::{Result, Timestamp, id::TenantId};

use crate::{Dialect, Tx, params};

/// A claimed piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    /// Whose.
    pub tenant: TenantId,
    /// What it is about (an id).
    pub subject: String,
    /// The fence.
    pub epoch: i64,
    /// How often it was claimed before.
    pub attempts: i64,
}

/// Asks for work of `kind` about `subject`, not before `run_at`. Asking again brings it forward, never
/// back; a lease on it ends, so that what changed meanwhile is looked at once more.
pub fn enqueue(tx: &mut Tx<'_>, kind: &'static str, subject: &str, run_at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO work (tenant_id, kind, subject, run_at, epoch, attempts) VALUES ($1, $2, $3, $4, 0, 0)
         ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET
           run_at = CASE WHEN work.owner IS NOT NULL THEN excluded.run_at
                         WHEN excluded.run_at < work.run_at THEN excluded.run_at ELSE work.run_at END,
           epoch = CASE WHEN work.owner IS NOT NULL THEN work.epoch + 1 ELSE work.epoch END,
           owner = NULL, lease_until = NULL",
        params![tenant, kind, subject, run_at],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// Claims up to `most` pieces of due work, or such whose lease ran out; in a system transaction.
pub fn claim(
    tx: &mut Tx<'_>,
    kind: &'static str,
    owner: &str,
    now: Timestamp,
    lease_seconds: i64,
    most: u32,
) -> Result<Vec<Claimed>> {
    let skip = match tx.dialect() {
        Dialect::Sqlite => "",
        Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
    };
    // The state is checked again outside: between the inner select and the update it may have changed.
    let rows = tx.query(
        &format!(
            "UPDATE work SET owner = $1, lease_until = $2, epoch = epoch + 1, attempts = attempts + 1
             WHERE (tenant_id, kind, subject) IN (
               SELECT tenant_id, kind, subject FROM work
               WHERE kind = $3 AND run_at <= $4 AND (lease_until IS NULL OR lease_until <= $4)
               ORDER BY run_at, subject LIMIT $5{skip})
             AND run_at <= $4 AND (lease_until IS NULL OR lease_until <= $4)
             RETURNING tenant_id, subject, epoch, attempts"
        ),
        params![owner, now.plus_seconds(lease_seconds), kind, now, most],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(Claimed { tenant: row.next()?, subject: row.next()?, epoch: row.next()?, attempts: row.next()? })
        })
        .collect()
}

/// Ends a claimed piece of work. `false` when the claim is no longer ours.
pub fn finish(tx: &mut Tx<'_>, kind: &'static str, subject: &str, epoch: i64) -> Result<bool> {
    let tenant = tx.tenant()?;
    let done = tx.execute(
        "DELETE FROM work WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND epoch = $4",
        params![tenant, kind, subject, epoch],
    )?;
    Ok(done == 1)
}

/// Puts a claimed piece of work back, to be done at `run_at`. `false` when the claim is no longer ours.
pub fn postpone(tx: &mut Tx<'_>, kind: &'static str, subject: &str, epoch: i64, run_at: Timestamp) -> Result<bool> {
    let tenant = tx.tenant()?;
    let done = tx.execute(
        "UPDATE work SET owner = NULL, lease_until = NULL, run_at = $5
         WHERE tenant_id = $1 AND kind = $2 AND subject = $3 AND epoch = $4",
        params![tenant, kind, subject, epoch, run_at],
    )?;
    Ok(done == 1)
}

/// Takes or renews a named lease; `false` while somebody else holds it.
pub fn hold_lease(tx: &mut Tx<'_>, name: &'static str, owner: &str, now: Timestamp, seconds: i64) -> Result<bool> {
    let held = tx.execute(
        "INSERT INTO lease (name, owner, epoch, lease_until) VALUES ($1, $2, 1, $3)
         ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until,
           epoch = CASE WHEN lease.owner = excluded.owner THEN lease.epoch ELSE lease.epoch + 1 END
         WHERE lease.owner = excluded.owner OR lease.lease_until <= $4",
        params![name, owner, now.plus_seconds(seconds), now],
    )?;
    Ok(held == 1)
}

/// Gives back whatever `owner` holds: its leases, and claimed work, which is due at once. Whoever still works on
/// such a piece finds its fence raised.
pub fn release(tx: &mut Tx<'_>, owner: &str) -> Result<()> {
    tx.execute("UPDATE lease SET lease_until = 0 WHERE owner = $1", params![owner])?;
    tx.execute("UPDATE work SET owner = NULL, lease_until = NULL, epoch = epoch + 1 WHERE owner = $1", params![owner])
        .map(drop)
}
