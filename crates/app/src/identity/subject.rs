//! For whom a token is issued, as the database says it.

use plimsoll_authority::token::Subject;
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::PrincipalType,
    id::{AgentId, ClientId, TypedId, UserId},
    identity::{Client, PrincipalRef, RoleHolder, User},
    permission::{Grant, Grants, Permission},
};
use plimsoll_store::{
    Tx,
    identity::{access, agent::AgentIdentity},
    resource,
};

/// For a user's token, fetched by the OAuth client `client_id`. Call it in a transaction of one snapshot.
pub(crate) fn of_user(tx: &mut Tx<'_>, id: UserId, client_id: &str) -> Result<Subject> {
    let user: Option<User> = resource::find(tx, id)?;
    let user = user.filter(|user| user.active).ok_or_else(deactivated)?;
    let who = Who { kind: PrincipalType::User, user: user.id, name: user.name, client_id: client_id.to_owned() };
    subject(tx, PrincipalRef::from(user.id), who)
}

/// For a client's own token. Call it in a transaction of one snapshot.
pub(crate) fn of_client(tx: &mut Tx<'_>, id: ClientId) -> Result<Subject> {
    let client: Option<Client> = resource::find(tx, id)?;
    let client = client.filter(|client| client.active).ok_or_else(deactivated)?;
    let who =
        Who { kind: PrincipalType::Client, user: client.service_user_id, name: client.name, client_id: id.to_string() };
    subject(tx, PrincipalRef::from(id), who)
}

struct Who {
    kind: PrincipalType,
    user: UserId,
    name: String,
    client_id: String,
}

fn subject(tx: &mut Tx<'_>, principal: PrincipalRef, who: Who) -> Result<Subject> {
    let access = access::load(tx, principal)?;
    Ok(Subject {
        tenant: tx.tenant()?,
        kind: who.kind,
        id: principal.id,
        user: who.user,
        name: who.name,
        roles: access.roles,
        grants: access.grants,
        client_id: who.client_id,
        scope: None,
        authz_version: access.version,
    })
}

/// Newer than any change: what the bearer may do does not follow from roles, so that no change of them makes
/// the token stale. Only a revocation ends it.
pub(crate) const NEVER_STALE: u64 = i64::MAX as u64;
/// The same for agents, with room above: each has a count of its own.
const FIRST_OF_AGENT: u64 = 1 << 62;

/// For an agent's token: what it may do follows from being one.
pub(crate) fn of_agent(tx: &mut Tx<'_>, identity: &AgentIdentity) -> Result<Subject> {
    let authz_version = access::own_version(tx, identity.agent.uuid())?.unwrap_or(FIRST_OF_AGENT);
    Ok(Subject {
        tenant: identity.tenant,
        kind: PrincipalType::Agent,
        id: identity.agent.uuid(),
        user: agent_user(identity.agent),
        name: identity.name.clone(),
        roles: vec![plimsoll_core::permission::BuiltInRole::Agent.name().to_owned()],
        grants: Grants::new([Grant { permission: Permission::AgentSession, environment: None }]),
        client_id: identity.agent.to_string(),
        scope: None,
        authz_version,
    })
}

/// Makes every token that the agent has stale: one of two copies is let in again, and both have tokens.
pub(crate) fn end_tokens_of_agent(tx: &mut Tx<'_>, agent: AgentId, now: Timestamp) -> Result<()> {
    let next = access::own_version(tx, agent.uuid())?.unwrap_or(FIRST_OF_AGENT) + 1;
    access::set_own_version(tx, agent.uuid(), next, now)
}

/// The contract's `user_id` of an agent: its own id.
fn agent_user(agent: AgentId) -> UserId {
    UserId::from_uuid(agent.uuid())
}

/// Whose roles a principal's are; agents and the server have none.
pub(crate) fn holder(kind: PrincipalType, id: uuid::Uuid) -> Option<PrincipalRef> {
    match kind {
        PrincipalType::User => Some(PrincipalRef { kind: RoleHolder::User, id }),
        PrincipalType::Client => Some(PrincipalRef { kind: RoleHolder::Client, id }),
        PrincipalType::Agent | PrincipalType::System => None,
    }
}

fn deactivated() -> Error {
    Error::new(ErrorCode::Unauthenticated, "this account is deactivated; ask an administrator to activate it")
}
