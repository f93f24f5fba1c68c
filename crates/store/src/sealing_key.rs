//! Data keys as rows: wrapped by the root key, one per tenant and version.

use plimsoll_core::{
    Result, Timestamp,
    id::{TenantId, TypedId},
};
use uuid::Uuid;

use crate::{Scope, Tx, params};

/// A data key as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// From 1; the highest one seals.
    pub version: u32,
    /// Wrapped by the root key.
    pub wrapped: Vec<u8>,
}

/// The scope whose transactions see the installation's own data keys: the nil tenant, which nobody can be.
#[must_use]
pub fn installation() -> Scope {
    Scope::Tenant(TenantId::from_uuid(Uuid::nil()))
}

/// All data keys of the transaction's tenant, oldest first.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT version, wrapped FROM sealing_key WHERE tenant_id = $1 ORDER BY version LIMIT 1000",
        params![tenant],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(StoredKey { version: row.next::<i64>()? as u32, wrapped: row.next()? })
        })
        .collect()
}

/// Adds a data key unless another replica added this version first; answers all there are then.
pub fn add(tx: &mut Tx<'_>, key: &StoredKey, now: Timestamp) -> Result<Vec<StoredKey>> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO sealing_key (tenant_id, version, wrapped, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        params![tenant, key.version, key.wrapped.as_slice(), now],
    )?;
    all(tx)
}
