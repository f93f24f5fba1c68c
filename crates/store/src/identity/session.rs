//! Sessions: families of refresh tokens, one a sign-in.

use plimsoll_core::{
    Result, Timestamp,
    id::{SessionId, TenantId, UserId},
};

use crate::{Row, Tx, params};

/// A session as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// Whose.
    pub tenant: TenantId,
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub user: UserId,
    /// When it ends, however busy.
    pub ends_at: Timestamp,
    /// Rises with each refresh; writes are guarded by it.
    pub generation: u64,
    /// The scope that was granted.
    pub scope: Option<String>,
    /// The family of refresh tokens, as JSON.
    pub family: String,
    /// `jti` of the last access token.
    pub token_id: String,
}

const COLUMNS: &str = "tenant_id, id, user_id, ends_at, generation, scope, family, token_id";

fn read(row: Row) -> Result<SessionRow> {
    let mut row = row.reader();
    Ok(SessionRow {
        tenant: row.next()?,
        id: row.next()?,
        user: row.next()?,
        ends_at: row.next()?,
        generation: row.next::<i64>()?.unsigned_abs(),
        scope: row.next()?,
        family: row.next()?,
        token_id: row.next()?,
    })
}

fn signed(generation: u64) -> i64 {
    i64::try_from(generation).unwrap_or(i64::MAX)
}

/// Begins a session.
pub fn insert(tx: &mut Tx<'_>, session: &SessionRow, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO session (tenant_id, id, user_id, created_at, ends_at, generation, scope, family, token_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        params![
            tenant,
            session.id,
            session.user,
            now,
            session.ends_at,
            signed(session.generation),
            session.scope.as_deref(),
            &session.family,
            &session.token_id
        ],
    )
    .map(drop)
}

/// The session with this id, whosever it is; in a system transaction.
pub fn find_anywhere(tx: &mut Tx<'_>, id: SessionId) -> Result<Option<SessionRow>> {
    let sql = format!("SELECT {COLUMNS} FROM session WHERE id = $1");
    tx.query_opt(&sql, params![id])?.map(read).transpose()
}

/// Writes a session's next state over the generation and family that were read. `false` when it changed
/// meanwhile.
pub fn update(tx: &mut Tx<'_>, next: &SessionRow, read: &SessionRow) -> Result<bool> {
    let tenant = tx.tenant()?;
    let changed = tx.execute(
        "UPDATE session SET generation = $5, family = $6, token_id = $7
         WHERE tenant_id = $1 AND id = $2 AND generation = $3 AND family = $4",
        params![
            tenant,
            next.id,
            signed(read.generation),
            &read.family,
            signed(next.generation),
            &next.family,
            &next.token_id
        ],
    )?;
    Ok(changed == 1)
}

/// Ends all sessions of a user: the rows go, and no refresh token finds one.
pub fn end_all(tx: &mut Tx<'_>, user: UserId) -> Result<u64> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM session WHERE tenant_id = $1 AND user_id = $2", params![tenant, user])
}
