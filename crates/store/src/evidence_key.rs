//! The tenants' signing keys.

use plimsoll_core::{Result, Timestamp};
use uuid::Uuid;

use crate::{Tx, params};

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvidenceKey {
    /// Binds the sealed bytes to this row.
    pub row: Uuid,
    /// `SHA256:…` of the public key.
    pub key_id: String,
    /// SPKI in PEM.
    pub public_key: String,
    /// The private key, sealed.
    pub sealed: Vec<u8>,
}

/// The key in force: the oldest, so that replicas that make one at the same moment agree.
pub fn current(tx: &mut Tx<'_>) -> Result<Option<StoredEvidenceKey>> {
    Ok(all(tx)?.into_iter().next())
}

/// All keys, oldest first: what older packets were signed with.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<StoredEvidenceKey>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT row_id, key_id, public_key, sealed FROM evidence_key WHERE tenant_id = $1 ORDER BY created_at, key_id",
        params![tenant],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(StoredEvidenceKey {
                row: row.next()?,
                key_id: row.next()?,
                public_key: row.next()?,
                sealed: row.next()?,
            })
        })
        .collect()
}

/// Keeps the tenant's first key unless there is one; answers the one in force.
pub fn insert_first(tx: &mut Tx<'_>, key: &StoredEvidenceKey, now: Timestamp) -> Result<StoredEvidenceKey> {
    let tenant = tx.tenant()?;
    tx.lock(&crate::Lock::Named("evidence_key", "first"))?;
    if let Some(known) = current(tx)? {
        return Ok(known);
    }
    tx.execute(
        "INSERT INTO evidence_key (tenant_id, key_id, created_at, public_key, sealed, row_id) VALUES ($1, $2, $3, $4, $5, $6)",
        params![tenant, &key.key_id, now, &key.public_key, key.sealed.as_slice(), key.row],
    )?;
    Ok(key.clone())
}
