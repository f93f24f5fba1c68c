//! This installation and its keys; all of it in system transactions.

use plimsoll_core::{
    Result, Timestamp,
    id::{KeyId, TenantId, UserId},
};

use crate::{Tx, params};

/// What is remembered of the first start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// The tenant that administers the others.
    pub default_tenant: TenantId,
    /// Its first user.
    pub first_administrator: UserId,
    /// `iss` of the tokens.
    pub issuer: String,
    /// By what the root key is known.
    pub root_key_check: String,
    /// When.
    pub created_at: Timestamp,
}

/// The installation, if there was a first start.
pub fn find(tx: &mut Tx<'_>) -> Result<Option<Installation>> {
    let row = tx.query_opt(
        "SELECT default_tenant_id, first_administrator_id, issuer, root_key_check, created_at FROM installation WHERE one = 1",
        params![],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok(Installation {
            default_tenant: row.next()?,
            first_administrator: row.next()?,
            issuer: row.next()?,
            root_key_check: row.next()?,
            created_at: row.next()?,
        })
    })
    .transpose()
}

/// Notes the first start; `false` when another replica was faster.
pub fn begin(tx: &mut Tx<'_>, made: &Installation) -> Result<bool> {
    let new = tx.execute(
        "INSERT INTO installation (one, default_tenant_id, first_administrator_id, issuer, root_key_check, created_at)
         VALUES (1, $1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        params![made.default_tenant, made.first_administrator, &made.issuer, &made.root_key_check, made.created_at],
    )?;
    Ok(new == 1)
}

/// The installation is reached by another URL from now on.
pub fn set_issuer(tx: &mut Tx<'_>, issuer: &str) -> Result<()> {
    tx.execute("UPDATE installation SET issuer = $1 WHERE one = 1", params![issuer]).map(drop)
}

/// A key that signs tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKeyRow {
    /// Its id in this table; the `kid` is the public key's thumbprint.
    pub id: KeyId,
    /// A JWK.
    pub public_key: String,
    /// The sealed private half, while it is needed.
    pub sealed: Option<Vec<u8>>,
    /// Where it stands in its life, as JSON.
    pub state: String,
}

/// Every signing key, by age.
pub fn signing_keys(tx: &mut Tx<'_>) -> Result<Vec<SigningKeyRow>> {
    let rows = tx.query("SELECT id, public_key, sealed, state FROM signing_key ORDER BY created_at, id", params![])?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(SigningKeyRow { id: row.next()?, public_key: row.next()?, sealed: row.next()?, state: row.next()? })
        })
        .collect()
}

/// Adds a signing key.
pub fn add_signing_key(tx: &mut Tx<'_>, key: &SigningKeyRow, now: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO signing_key (id, created_at, public_key, sealed, state) VALUES ($1, $2, $3, $4, $5)",
        params![key.id, now, &key.public_key, key.sealed.as_deref(), &key.state],
    )
    .map(drop)
}

/// Moves a signing key from the state that was read to the next. `None` as `sealed` forgets the private half.
pub fn move_signing_key(tx: &mut Tx<'_>, next: &SigningKeyRow, read: &str) -> Result<()> {
    tx.execute_guarded(
        "signing key",
        "UPDATE signing_key SET state = $3, sealed = $4 WHERE id = $1 AND state = $2",
        params![next.id, read, &next.state, next.sealed.as_deref()],
    )
}
