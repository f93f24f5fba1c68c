//! Browsers on the sign-in page.

use plimsoll_core::{
    Digest, Result, Timestamp,
    id::{TenantId, UserId},
};

use crate::{Tx, params};

/// Who sits in front of a browser, as its password said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Browsing {
    /// Their tenant.
    pub tenant: TenantId,
    /// Who.
    pub user: UserId,
}

/// Remembers that a user of the tenant signed in with the cookie of this digest.
pub fn insert(tx: &mut Tx<'_>, cookie: Digest, user: UserId, until: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO browser_session (cookie_digest, tenant_id, user_id, expires_at) VALUES ($1, $2, $3, $4)",
        params![cookie, tenant, user, until],
    )
    .map(drop)
}

/// Who signed in with the cookie of this digest; in a system transaction.
pub fn find(tx: &mut Tx<'_>, cookie: Digest, now: Timestamp) -> Result<Option<Browsing>> {
    let row = tx.query_opt(
        "SELECT tenant_id, user_id FROM browser_session WHERE cookie_digest = $1 AND expires_at > $2",
        params![cookie, now],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok(Browsing { tenant: row.next()?, user: row.next()? })
    })
    .transpose()
}

/// Forgets every browser of a user.
pub fn remove_all(tx: &mut Tx<'_>, user: UserId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM browser_session WHERE tenant_id = $1 AND user_id = $2", params![tenant, user]).map(drop)
}
