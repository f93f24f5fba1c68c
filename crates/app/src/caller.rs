//! Who calls which operation, and how the call may be repeated.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    audit::{Origin, Principal},
    id::{EnvironmentId, TenantId},
    permission::denied,
};
use plimsoll_protocol::operation::OperationId;
use plimsoll_store::{Scope, idempotency::IdempotencyKey};
use uuid::Uuid;

/// One call, as use cases see it. The tenant comes from the token and from nowhere else.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// From where.
    pub origin: Origin,
    /// Which operation.
    pub operation: OperationId,
    /// The id of what the operation is about, if the path names one; for the trail of a refused attempt.
    pub subject: Option<Uuid>,
    /// When the call arrived.
    pub now: Timestamp,
    /// The client's key for repeating it.
    pub idempotency: Option<IdempotencyKey>,
    /// The revision that the client saw (`If-Match`).
    pub if_match: Option<i64>,
}

impl Caller {
    /// The caller's tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        self.principal.tenant
    }

    /// The scope of all of the call's transactions.
    #[must_use]
    pub const fn scope(&self) -> Scope {
        Scope::Tenant(self.principal.tenant)
    }

    /// Checks the operation's permission in one environment; at the door only "somewhere" was checked.
    pub fn may_in(&self, environment: EnvironmentId) -> Result<()> {
        let permission = self.operation.operation().permission;
        if self.principal.grants.in_environment(permission, environment) {
            return Ok(());
        }
        Err(denied(permission, Some(environment)))
    }

    /// The environments in which the operation's permission is held; `None` stands for all of them.
    #[must_use]
    pub fn environments(&self) -> Option<Vec<EnvironmentId>> {
        let permission = self.operation.operation().permission;
        let grants = &self.principal.grants;
        if grants.everywhere(permission) {
            return None;
        }
        Some(grants.iter().filter(|one| one.permission == permission).filter_map(|one| one.environment).collect())
    }

    /// Checks the operation's permission in the whole tenant.
    pub fn may_everywhere(&self) -> Result<()> {
        let permission = self.operation.operation().permission;
        if self.principal.grants.everywhere(permission) { Ok(()) } else { Err(denied(permission, None)) }
    }

    /// Refuses the call when the resource is not at the revision that the client saw.
    pub fn check_revision(&self, current: i64) -> Result<()> {
        match self.if_match {
            Some(seen) if seen != current => Err(Error::new(
                ErrorCode::VersionMismatch,
                format!("the resource is at revision {current}, not {seen}; read it again and repeat the change"),
            )
            .details(serde_json::json!({ "revision": current }))),
            _ => Ok(()),
        }
    }
}
