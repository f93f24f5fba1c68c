//! The sync of a component's versions: one at a time over all replicas; whoever comes meanwhile joins it.

use plimsoll_core::{Result, Timestamp, id::ComponentId};
use serde::{Serialize, de::DeserializeOwned};

use crate::{Tx, params};

/// Who syncs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The caller, under this epoch.
    Mine(i64),
    /// Somebody else; theirs is this epoch.
    Running(i64),
}

/// Takes the turn, unless somebody has it and still lives.
pub fn begin(tx: &mut Tx<'_>, component: ComponentId, now: Timestamp, lease_seconds: i64) -> Result<Turn> {
    let tenant = tx.tenant()?;
    let taken = tx.query_opt(
        "INSERT INTO component_sync (tenant_id, component_id, epoch, lease_until, finished_epoch) VALUES ($1, $2, 1, $3, 0)
         ON CONFLICT (tenant_id, component_id) DO UPDATE SET epoch = component_sync.epoch + 1, lease_until = excluded.lease_until
         WHERE component_sync.lease_until IS NULL OR component_sync.lease_until <= $4 RETURNING epoch",
        params![tenant, component, now.plus_seconds(lease_seconds), now],
    )?;
    if let Some(row) = taken {
        return row.first().map(Turn::Mine);
    }
    let running = tx.query_one(
        "SELECT epoch FROM component_sync WHERE tenant_id = $1 AND component_id = $2",
        params![tenant, component],
    )?;
    running.first().map(Turn::Running)
}

/// Ends one's turn with what it came to. `false` when the turn was lost.
pub fn end<T: Serialize>(tx: &mut Tx<'_>, component: ComponentId, epoch: i64, outcome: &T) -> Result<bool> {
    let tenant = tx.tenant()?;
    let outcome = serde_json::to_string(outcome)
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("an outcome is not JSON: {cause}")))?;
    let ended = tx.execute(
        "UPDATE component_sync SET lease_until = NULL, finished_epoch = $3, outcome = $4
         WHERE tenant_id = $1 AND component_id = $2 AND epoch = $3",
        params![tenant, component, epoch, outcome],
    )?;
    tx.wake_after_commit();
    Ok(ended == 1)
}

/// What the turn of `epoch`, or a later one, came to, if it has ended.
pub fn outcome<T: DeserializeOwned>(tx: &mut Tx<'_>, component: ComponentId, epoch: i64) -> Result<Option<T>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT outcome FROM component_sync
         WHERE tenant_id = $1 AND component_id = $2 AND finished_epoch >= $3 AND outcome IS NOT NULL",
        params![tenant, component, epoch],
    )?;
    row.map(|row| row.reader().next_json()).transpose()
}
