//! What a principal may do, and the counter by which older tokens are known to be stale.

use plimsoll_core::{
    Result, Timestamp,
    id::EnvironmentId,
    identity::{PrincipalRef, Role, Standing, grants_of},
    permission::{Grant, Grants},
};
use uuid::Uuid;

use crate::{Tx, params};

/// What a principal may do, and as of which value of the tenant's counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The tenant's counter in the same snapshot.
    pub version: u64,
    /// Names of the roles held anywhere, each once.
    pub roles: Vec<String>,
    /// All that they give.
    pub grants: Grants,
}

/// Reads the counter and then all bindings of a principal. Call it in a transaction of one snapshot
/// ([`crate::Store::read`]).
pub fn load(tx: &mut Tx<'_>, principal: PrincipalRef) -> Result<Access> {
    let tenant = tx.tenant()?;
    let version = version(tx)?;
    let standing = standing(tx)?;
    let rows = tx.query(
        "SELECT r.body, b.environment_id FROM role_binding b
         JOIN role r ON r.tenant_id = b.tenant_id AND r.id = b.role_id AND r.deleted_at IS NULL
         WHERE b.tenant_id = $1 AND b.principal_id = $2 AND b.principal_type = $3 AND b.deleted_at IS NULL
         ORDER BY r.name, b.id",
        params![tenant, principal.id, principal.kind.as_str()],
    )?;
    let (mut roles, mut grants) = (Vec::new(), Vec::new());
    for row in rows {
        let mut row = row.reader();
        let role: Role = row.next_json()?;
        let environment: Option<EnvironmentId> = row.next()?;
        grants.extend(grants_of(&role, environment, standing).iter().copied());
        roles.push(role.name);
    }
    roles.dedup();
    Ok(Access { version, roles, grants: Grants::new(grants) })
}

/// Where the tenant stands. Every tenant's row belongs to tenant `default`, so only that one sees any.
pub fn standing(tx: &mut Tx<'_>) -> Result<Standing> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt("SELECT id FROM tenant WHERE tenant_id = $1 LIMIT 1", params![tenant])?;
    Ok(if row.is_some() { Standing::Home } else { Standing::Guest })
}

/// The tenant's counter.
pub fn version(tx: &mut Tx<'_>) -> Result<u64> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt("SELECT version FROM authz_counter WHERE tenant_id = $1", params![tenant])?;
    Ok(row.map(crate::Row::first::<i64>).transpose()?.unwrap_or_default().unsigned_abs())
}

/// Whom a change of rights concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concerned {
    /// One user, client or agent.
    Principal(Uuid),
    /// Everybody in the tenant: a role was edited.
    Everybody,
}

/// The version at which a principal's tokens are good, where it is no value of the tenant's counter: agents hold no
/// roles. `None`: it was never set.
pub fn own_version(tx: &mut Tx<'_>, principal: Uuid) -> Result<Option<u64>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT version FROM authz_version WHERE tenant_id = $1 AND principal_id = $2",
        params![tenant, principal],
    )?;
    Ok(row.map(crate::Row::first::<i64>).transpose()?.map(i64::unsigned_abs))
}

/// Sets it: the principal's older tokens are stale from now on.
pub fn set_own_version(tx: &mut Tx<'_>, principal: Uuid, version: u64, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO authz_version (tenant_id, principal_id, version, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, principal_id) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at",
        params![tenant, principal, version.cast_signed(), now],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// Raises the tenant's counter for a change: tokens issued before it are stale from now on. Changes of one
/// tenant wait for each other here, until the transaction ends.
pub fn raise(tx: &mut Tx<'_>, concerned: Concerned, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    let version = tx
        .query_one(
            "INSERT INTO authz_counter (tenant_id, version) VALUES ($1, 1)
             ON CONFLICT (tenant_id) DO UPDATE SET version = authz_counter.version + 1 RETURNING version",
            params![tenant],
        )?
        .first::<i64>()?;
    let principal = match concerned {
        Concerned::Principal(id) => id.to_string(),
        Concerned::Everybody => String::new(),
    };
    tx.execute(
        "INSERT INTO authz_version (tenant_id, principal_id, version, changed_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (tenant_id, principal_id) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at",
        params![tenant, principal, version, now],
    )?;
    tx.wake_after_commit();
    Ok(())
}

/// The environments in which a principal's roles are limited: those that a token leaves out when there are
/// too many.
pub fn limited(tx: &mut Tx<'_>, principal: PrincipalRef) -> Result<Vec<Grant>> {
    Ok(load(tx, principal)?.grants.iter().copied().filter(|grant| grant.environment.is_some()).collect())
}
