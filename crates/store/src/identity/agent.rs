//! How agents prove who they are: the key that each made on its host, and a count that shows a copy of it.

use plimsoll_core::{
    Result, Timestamp,
    id::{AgentId, RegistrationTokenId, TenantId},
};

use crate::{Row, Tx, params};

/// An agent's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentIdentity {
    /// Whose.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentId,
    /// Its name, for tokens and the trail.
    pub name: String,
    /// A JWK.
    pub public_key: String,
    /// The registration token with which it enrolled.
    pub registration_token: RegistrationTokenId,
    /// When the agent was removed.
    pub revoked_at: Option<Timestamp>,
    /// The count of its token requests, as JSON.
    pub join_state: String,
}

const COLUMNS: &str = "tenant_id, agent_id, name, public_key, registration_token_id, revoked_at, join_state";

fn read(row: Row) -> Result<AgentIdentity> {
    let mut row = row.reader();
    Ok(AgentIdentity {
        tenant: row.next()?,
        agent: row.next()?,
        name: row.next()?,
        public_key: row.next()?,
        registration_token: row.next()?,
        revoked_at: row.next()?,
        join_state: row.next()?,
    })
}

/// Inserts a new agent's identity.
pub fn insert(tx: &mut Tx<'_>, identity: &AgentIdentity, now: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO agent_identity (tenant_id, agent_id, name, public_key, registration_token_id, registered_at, join_state)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            tenant,
            identity.agent,
            &identity.name,
            &identity.public_key,
            identity.registration_token,
            now,
            &identity.join_state
        ],
    )
    .map(drop)
}

/// The identity of an agent of the tenant.
pub fn find(tx: &mut Tx<'_>, agent: AgentId) -> Result<Option<AgentIdentity>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT {COLUMNS} FROM agent_identity WHERE tenant_id = $1 AND agent_id = $2");
    tx.query_opt(&sql, params![tenant, agent])?.map(read).transpose()
}

/// The identity that was made with a registration token.
pub fn find_by_token(tx: &mut Tx<'_>, token: RegistrationTokenId) -> Result<Option<AgentIdentity>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT {COLUMNS} FROM agent_identity WHERE tenant_id = $1 AND registration_token_id = $2");
    tx.query_opt(&sql, params![tenant, token])?.map(read).transpose()
}

/// The identity of an agent, whosever it is; in a system transaction.
pub fn find_anywhere(tx: &mut Tx<'_>, agent: AgentId) -> Result<Option<AgentIdentity>> {
    let sql = format!("SELECT {COLUMNS} FROM agent_identity WHERE agent_id = $1");
    tx.query_opt(&sql, params![agent])?.map(read).transpose()
}

/// Writes what changes in an identity after it was made: name, revocation, join state.
pub fn update(tx: &mut Tx<'_>, identity: &AgentIdentity) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute_guarded(
        "agent's identity",
        "UPDATE agent_identity SET name = $3, revoked_at = $4, join_state = $5
         WHERE tenant_id = $1 AND agent_id = $2",
        params![tenant, identity.agent, &identity.name, identity.revoked_at, &identity.join_state],
    )
}
