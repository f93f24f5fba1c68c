//! First answers to POSTs with an Idempotency-Key, kept in the transaction of the change.

use plimsoll_core::{Digest, Error, ErrorCode, Result, Timestamp};
use uuid::Uuid;

use crate::{Tx, params};

/// Which call a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The caller.
    pub principal: Uuid,
    /// The method.
    pub method: &'static str,
    /// The path with its ids.
    pub path: String,
    /// What the client sent.
    pub key: String,
    /// SHA-256 of the request's body.
    pub body: Digest,
}

/// The answer to replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The bytes of `data` in the envelope; empty when there is no body.
    pub answer: Vec<u8>,
    /// The `Location` header.
    pub location: Option<String>,
    /// The resource that the answer shows, as `kind/id`, when the answer was too large to be kept: it is read again.
    pub reference: Option<String>,
    /// The revision of the resource as the answer shows it: its `ETag`.
    pub revision: Option<i64>,
}

/// What a key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// The call is new; its answer will be stored.
    New,
    /// The call was answered before.
    Answered(StoredAnswer),
}

/// Reserves the key. A concurrent repeat waits here for the first to commit, then replays it. `until` is
/// given by operations that call outside: a lease, after which the key is free again.
pub fn reserve(tx: &mut Tx<'_>, key: &IdempotencyKey, now: Timestamp, until: Option<Timestamp>) -> Result<Reserved> {
    let tenant = tx.tenant()?;
    let new = tx.execute(
        "INSERT INTO idempotency (tenant_id, principal_id, method, path, idempotency_key, created_at, body_digest, reserved_until)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, principal_id, method, path, idempotency_key) DO UPDATE SET
           created_at = excluded.created_at, body_digest = excluded.body_digest, reserved_until = excluded.reserved_until,
           status = NULL, answer = NULL, location = NULL, revision = NULL, reference = NULL
         WHERE idempotency.created_at <= $9 OR (idempotency.status IS NULL AND idempotency.reserved_until <= $6)",
        params![
            tenant,
            key.principal,
            key.method,
            &key.path,
            &key.key,
            now,
            key.body,
            until,
            now.plus_seconds(-24 * 3600)
        ],
    )?;
    if new == 1 {
        return Ok(Reserved::New);
    }
    let mut row = tx
        .query_one(
            "SELECT body_digest, status, answer, location, revision, reference FROM idempotency
             WHERE tenant_id = $1 AND principal_id = $2 AND method = $3 AND path = $4 AND idempotency_key = $5",
            params![tenant, key.principal, key.method, &key.path, &key.key],
        )?
        .reader();
    let (body, status) = (row.next::<Digest>()?, row.next::<Option<i64>>()?);
    if body != key.body {
        return Err(Error::new(
            ErrorCode::IdempotencyKeyReused,
            "this Idempotency-Key was used with another body; use a new key for a new request",
        ));
    }
    match status {
        Some(status) => Ok(Reserved::Answered(StoredAnswer {
            status: status as u16,
            answer: row.next::<Option<Vec<u8>>>()?.unwrap_or_default(),
            location: row.next()?,
            revision: row.next()?,
            reference: row.next()?,
        })),
        None => Err(Error::new(
            ErrorCode::RequestInProgress,
            "a request with this Idempotency-Key is being worked on; ask again in a few seconds",
        )),
    }
}

/// Stores the answer under a reserved key.
pub fn store(tx: &mut Tx<'_>, key: &IdempotencyKey, answer: &StoredAnswer) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "idempotency key",
        "UPDATE idempotency SET status = $6, answer = $7, location = $8, revision = $9, reference = $10, reserved_until = NULL
         WHERE tenant_id = $1 AND principal_id = $2 AND method = $3 AND path = $4 AND idempotency_key = $5",
        params![
            tenant,
            key.principal,
            key.method,
            &key.path,
            &key.key,
            i64::from(answer.status),
            answer.answer.as_slice(),
            answer.location.as_deref(),
            answer.revision,
            answer.reference.as_deref()
        ],
    )
}

/// Frees a reserved key whose call failed: only successes are kept.
pub fn release(tx: &mut Tx<'_>, key: &IdempotencyKey) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM idempotency WHERE tenant_id = $1 AND principal_id = $2 AND method = $3 AND path = $4
           AND idempotency_key = $5 AND status IS NULL",
        params![tenant, key.principal, key.method, &key.path, &key.key],
    )
    .map(drop)
}
