//! Sign-ins by device code; all of it in system transactions, since nobody knows the tenant yet.

use plimsoll_core::{Digest, Result, Timestamp, id::DeviceGrantId};

use crate::{Row, Tx, params};

/// A sign-in in progress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceGrantRow {
    /// Its id.
    pub id: DeviceGrantId,
    /// The digest of the device's code.
    pub device_code: Digest,
    /// What the user types.
    pub user_code: String,
    /// Until when it can be decided and redeemed.
    pub expires_at: Timestamp,
    /// The OAuth client that asks.
    pub client_id: String,
    /// What it asks for.
    pub scope: Option<String>,
    /// From where it asks, for the person who decides.
    pub origin: Option<String>,
    /// Where it stands, as JSON.
    pub body: String,
}

const COLUMNS: &str = "id, device_code, user_code, expires_at, client_id, scope, origin, body";

fn read(row: Row) -> Result<DeviceGrantRow> {
    let mut row = row.reader();
    Ok(DeviceGrantRow {
        id: row.next()?,
        device_code: row.next()?,
        user_code: row.next()?,
        expires_at: row.next()?,
        client_id: row.next()?,
        scope: row.next()?,
        origin: row.next()?,
        body: row.next()?,
    })
}

/// Begins a sign-in; `false` when one of its codes is taken.
pub fn insert(tx: &mut Tx<'_>, grant: &DeviceGrantRow) -> Result<bool> {
    let new = tx.execute(
        "INSERT INTO device_grant (id, device_code, user_code, expires_at, client_id, scope, origin, body)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        params![
            grant.id,
            grant.device_code,
            &grant.user_code,
            grant.expires_at,
            &grant.client_id,
            grant.scope.as_deref(),
            grant.origin.as_deref(),
            &grant.body
        ],
    )?;
    Ok(new == 1)
}

/// The sign-in of a device's code.
pub fn by_device_code(tx: &mut Tx<'_>, code: Digest) -> Result<Option<DeviceGrantRow>> {
    let sql = format!("SELECT {COLUMNS} FROM device_grant WHERE device_code = $1");
    tx.query_opt(&sql, params![code])?.map(read).transpose()
}

/// The sign-in of the code that a user typed.
pub fn by_user_code(tx: &mut Tx<'_>, code: &str) -> Result<Option<DeviceGrantRow>> {
    let sql = format!("SELECT {COLUMNS} FROM device_grant WHERE user_code = $1");
    tx.query_opt(&sql, params![code])?.map(read).transpose()
}

/// Moves a sign-in from where it was read to the next state; `false` when it changed meanwhile.
pub fn advance(tx: &mut Tx<'_>, read: &DeviceGrantRow, next: &str) -> Result<bool> {
    let moved = tx
        .execute("UPDATE device_grant SET body = $3 WHERE id = $1 AND body = $2", params![read.id, &read.body, next])?;
    Ok(moved == 1)
}
