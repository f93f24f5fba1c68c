//! The fence of a target: one number that every offer and every cancel raises.

use plimsoll_core::{Result, id::TargetId};

use crate::{Tx, params};

/// Raises the target's epoch and answers the new one. Its upper 16 bits are kept for a restore epoch.
pub fn raise(tx: &mut Tx<'_>, target: TargetId) -> Result<u64> {
    let tenant = tx.tenant()?;
    let row = tx.query_one(
        "INSERT INTO target_epoch (tenant_id, target_id, epoch) VALUES ($1, $2, 1)
         ON CONFLICT (tenant_id, target_id) DO UPDATE SET epoch = target_epoch.epoch + 1 RETURNING epoch",
        params![tenant, target],
    )?;
    Ok(row.first::<i64>()? as u64)
}

/// Raises the target's epoch to one that was seen there, if that is above it: a database that was put back from
/// a backup knows less than its targets. One that no server of ours ever gave is not taken.
pub fn lift(tx: &mut Tx<'_>, target: TargetId, seen: u64) -> Result<bool> {
    const BELIEVED: u64 = 1 << 62;
    if seen == 0 || seen >= BELIEVED {
        return Ok(false);
    }
    let tenant = tx.tenant()?;
    let lifted = tx.execute(
        "INSERT INTO target_epoch (tenant_id, target_id, epoch) VALUES ($1, $2, $3)
         ON CONFLICT (tenant_id, target_id) DO UPDATE SET epoch = excluded.epoch
           WHERE target_epoch.epoch < excluded.epoch",
        params![tenant, target, seen as i64],
    )?;
    Ok(lifted == 1)
}

/// The epoch in force.
pub fn current(tx: &mut Tx<'_>, target: TargetId) -> Result<u64> {
    let tenant = tx.tenant()?;
    let row = tx
        .query_opt("SELECT epoch FROM target_epoch WHERE tenant_id = $1 AND target_id = $2", params![tenant, target])?;
    Ok(row.map(crate::Row::first::<i64>).transpose()?.unwrap_or(0) as u64)
}
