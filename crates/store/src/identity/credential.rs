//! How principals prove who they are: password hashes, digests of secrets, public keys, failed attempts.

use plimsoll_core::{
    Digest, Result, Timestamp,
    id::{ClientId, TenantId, UserId},
    identity::{Client, User},
};

use crate::{
    Tx, params,
    resource::{self, Resource},
};

/// The user of this name with the password's hash.
pub fn user_by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<(User, Option<String>)>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT body, password_hash FROM app_user WHERE tenant_id = $1 AND name = $2 AND deleted_at IS NULL",
        params![tenant, name],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok((row.next_json()?, row.next()?))
    })
    .transpose()
}

/// The hash of a user's password, if they have one.
pub fn password_hash(tx: &mut Tx<'_>, id: UserId) -> Result<Option<String>> {
    let tenant = tx.tenant()?;
    let sql = "SELECT password_hash FROM app_user WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
    Ok(tx.query_opt(sql, params![tenant, id])?.map(crate::Row::first::<Option<String>>).transpose()?.flatten())
}

/// Uses up a password that is good once: nobody signs in with it again. `false` when somebody did meanwhile, or it
/// was changed.
pub fn use_up_password(tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<bool> {
    let tenant = tx.tenant()?;
    let used = tx.execute(
        "UPDATE app_user SET used_password_hash = password_hash, password_hash = NULL
         WHERE tenant_id = $1 AND id = $2 AND password_hash = $3 AND deleted_at IS NULL",
        params![tenant, id, hash],
    )?;
    Ok(used == 1)
}

/// The hash of the password that was used up, while there is no other: the new one must differ.
pub fn used_password_hash(tx: &mut Tx<'_>, id: UserId) -> Result<Option<String>> {
    let tenant = tx.tenant()?;
    let sql = "SELECT used_password_hash FROM app_user WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL";
    Ok(tx.query_opt(sql, params![tenant, id])?.map(crate::Row::first::<Option<String>>).transpose()?.flatten())
}

/// Sets the hash of a user's password.
pub fn set_password_hash(tx: &mut Tx<'_>, id: UserId, hash: &str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "user",
        "UPDATE app_user SET password_hash = $3, used_password_hash = NULL
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        params![tenant, id, hash],
    )
}

/// Writes what changes by mere use (`lastSignInAt`, `lastUsedAt`), or follows from another resource's change,
/// without raising the revision. Somebody else's change meanwhile wins.
pub fn note_use<R: Resource>(tx: &mut Tx<'_>, resource: &R) -> Result<()> {
    let tenant = tx.tenant()?;
    let sql = format!("UPDATE {} SET body = $4 WHERE tenant_id = $1 AND id = $2 AND revision = $3", R::TABLE.name);
    tx.execute(&sql, params![tenant, resource.id(), resource.revision(), resource::body(resource)?]).map(drop)
}

/// What a client proves itself with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientProof {
    /// The digest of its secret.
    pub secret: Option<Digest>,
    /// Its public key, a JWK.
    pub public_key: Option<String>,
}

/// The living client with this id, whosever it is; in a system transaction.
pub fn client_anywhere(tx: &mut Tx<'_>, id: ClientId) -> Result<Option<(TenantId, Client, ClientProof)>> {
    let row = tx.query_opt(
        "SELECT tenant_id, body, secret_digest, public_key FROM client WHERE id = $1 AND deleted_at IS NULL",
        params![id],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        let (tenant, client) = (row.next()?, row.next_json()?);
        Ok((tenant, client, ClientProof { secret: row.next()?, public_key: row.next()? }))
    })
    .transpose()
}

/// Sets what a client proves itself with.
pub fn set_client_proof(tx: &mut Tx<'_>, id: ClientId, proof: &ClientProof) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "client",
        "UPDATE client SET secret_digest = $3, public_key = $4 WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL",
        params![tenant, id, proof.secret, proof.public_key.as_deref()],
    )
}

/// Failures and the last attempt of an account or address; in a system transaction.
pub fn attempts(tx: &mut Tx<'_>, subject: &str) -> Result<Option<(u32, Timestamp)>> {
    let row = tx.query_opt("SELECT failures, last_at FROM sign_in_attempt WHERE subject = $1", params![subject])?;
    row.map(|row| {
        let mut row = row.reader();
        let failures = u32::try_from(row.next::<i64>()?).unwrap_or(u32::MAX);
        Ok((failures, row.next()?))
    })
    .transpose()
}

/// Remembers failures and the last attempt of an account or address; in a system transaction.
pub fn set_attempts(tx: &mut Tx<'_>, subject: &str, failures: u32, last_at: Timestamp) -> Result<()> {
    tx.execute(
        "INSERT INTO sign_in_attempt (subject, failures, last_at) VALUES ($1, $2, $3)
         ON CONFLICT (subject) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at",
        params![subject, failures, last_at],
    )
    .map(drop)
}

/// Forgets the failures of an account; in a system transaction.
pub fn forget_attempts(tx: &mut Tx<'_>, subject: &str) -> Result<()> {
    tx.execute("DELETE FROM sign_in_attempt WHERE subject = $1", params![subject]).map(drop)
}
