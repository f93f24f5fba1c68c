//! What voids tokens before they expire, and the snapshot that replicas renew.

use plimsoll_core::{
    Error, Result, Timestamp,
    id::{SessionId, TenantId},
};
use uuid::Uuid;

use crate::{Tx, params};

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// One token, by its `jti`.
    Token(String),
    /// Every access token of a sign-in.
    Session(SessionId),
    /// Every token of a user, client, agent, or registration token.
    Principal(Uuid),
}

impl Revoked {
    fn columns(&self) -> (&'static str, String) {
        match self {
            Self::Token(jti) => ("token", jti.clone()),
            Self::Session(id) => ("session", id.to_string()),
            Self::Principal(id) => ("principal", id.to_string()),
        }
    }
}

/// Revokes until `until`, when no such token can be alive any more.
pub fn revoke(tx: &mut Tx<'_>, revoked: &Revoked, until: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    let (kind, subject) = revoked.columns();
    tx.execute(
        "INSERT INTO revocation (tenant_id, kind, subject, until) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, kind, subject) DO UPDATE SET until = excluded.until
         WHERE revocation.until < excluded.until",
        params![tenant, kind, subject, until],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// Takes a principal's revocation back: it was activated again.
pub fn restore(tx: &mut Tx<'_>, principal: Uuid) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM revocation WHERE tenant_id = $1 AND kind = 'principal' AND subject = $2",
        params![tenant, principal],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// All that voids living tokens, of all tenants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `jti`s.
    pub tokens: Vec<String>,
    /// Sign-ins.
    pub sessions: Vec<SessionId>,
    /// Users, clients, agents and registration tokens.
    pub principals: Vec<Uuid>,
    /// The counter's value at the last change to a principal.
    pub principal_versions: Vec<(Uuid, u64)>,
    /// The counter's value at the last change to all of a tenant.
    pub tenant_versions: Vec<(TenantId, u64)>,
}

/// Reads the snapshot; in a system transaction. Changes before `changed_since` concern no living token.
pub fn snapshot(tx: &mut Tx<'_>, now: Timestamp, changed_since: Timestamp) -> Result<Snapshot> {
    let mut snapshot = Snapshot::default();
    for row in tx.query("SELECT kind, subject FROM revocation WHERE until > $1", params![now])? {
        let mut row = row.reader();
        let kind: String = row.next()?;
        match kind.as_str() {
            "token" => snapshot.tokens.push(row.next()?),
            "session" => snapshot.sessions.push(row.next()?),
            "principal" => snapshot.principals.push(row.next()?),
            other => return Err(Error::internal_defect(format!("{other} is no kind of revocation"))),
        }
    }
    let versions = tx.query(
        "SELECT tenant_id, principal_id, version FROM authz_version WHERE changed_at > $1",
        params![changed_since],
    )?;
    for row in versions {
        let mut row = row.reader();
        let (tenant, principal) = (row.next::<TenantId>()?, row.next::<String>()?);
        let version = row.next::<i64>()?.unsigned_abs();
        match Uuid::try_parse(&principal) {
            Ok(principal) => snapshot.principal_versions.push((principal, version)),
            Err(_) => snapshot.tenant_versions.push((tenant, version)),
        }
    }
    Ok(snapshot)
}

/// Deletes what concerns no living token, nonce or sign-in any more; in a system transaction. Answers how
/// many rows went.
pub fn sweep(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64> {
    let hour_ago = now.plus_seconds(-3600);
    let mut gone = 0;
    for (sql, at) in [
        ("DELETE FROM revocation WHERE until <= $1", now),
        ("DELETE FROM used_nonce WHERE until <= $1", now),
        ("DELETE FROM browser_session WHERE expires_at <= $1", now),
        ("DELETE FROM device_grant WHERE expires_at <= $1", hour_ago),
        ("DELETE FROM sign_in_attempt WHERE last_at <= $1", hour_ago),
        ("DELETE FROM session WHERE ends_at <= $1", now.plus_seconds(-30 * 24 * 3600)),
    ] {
        gone += tx.execute(sql, params![at])?;
    }
    Ok(gone)
}
