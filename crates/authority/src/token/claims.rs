//! What stands in an access token.

use plimsoll_core::{
    audit::PrincipalType,
    id::{SessionId, TenantId, UserId},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::GrantsClaim;

/// The claims of an access token: RFC 9068, section 2.2, and the contract's own.
///
/// `iss`, `aud` and `sub` are single strings here, and times are whole seconds: we issue nothing else.
/// Claims that are not listed are ignored (RFC 7519, section 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// Who issued it: this installation.
    pub iss: String,
    /// The principal's own id: of the user, the client, or the agent.
    pub sub: Uuid,
    /// For whom it is: the API.
    pub aud: String,
    /// Until when, in Unix seconds.
    pub exp: i64,
    /// From when, in Unix seconds.
    pub nbf: i64,
    /// When it was issued, in Unix seconds.
    pub iat: i64,
    /// Its own id, for revocation.
    pub jti: String,
    /// The OAuth client that fetched it.
    pub client_id: String,
    /// The scope that was asked for, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The contract's `user_id`: of a client, its service user; of an agent, its own id.
    pub user_id: UserId,
    /// The tenant, and the only place that it comes from.
    pub tenant_id: TenantId,
    /// Names of the roles held.
    pub roles: Vec<String>,
    /// What it allows; see [`GrantsClaim`].
    pub permissions: GrantsClaim,
    /// What kind of principal.
    pub principal_type: PrincipalType,
    /// The tenant's counter of changes to who may do what, as read before the roles were; see
    /// [`super::RevocationState`].
    pub authz_version: u64,
    /// The sign-in that it was given in, if it was one: it ends with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// The principal's name, for messages and the audit trail.
    pub name: String,
}
