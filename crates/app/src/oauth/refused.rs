//! Sign-ins that failed, in the trail of whose account it was. What was typed or signed is never part of it.

use plimsoll_core::{
    ErrorCode, Result, Timestamp,
    audit::{AuditOutcome, Origin},
    id::{AuditEventId, ClientId, TenantId, UserId},
};
use plimsoll_store::{
    Scope, Tx,
    audit::{self, AuditEntry},
    identity::agent::AgentIdentity,
};

use crate::{App, identity::first_start::server_principal};

/// The account that somebody did not prove to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    tenant: TenantId,
    action: &'static str,
    kind: &'static str,
    /// Absent when the tenant has none of the name.
    id: Option<String>,
}

impl Account {
    pub(super) fn agent(identity: &AgentIdentity) -> Self {
        Self { tenant: identity.tenant, action: "agent_sign_in", kind: "agent", id: Some(identity.agent.to_string()) }
    }

    pub(super) fn client(tenant: TenantId, id: ClientId) -> Self {
        Self { tenant, action: "client_sign_in", kind: "client", id: Some(id.to_string()) }
    }

    pub(super) fn user(tenant: TenantId, id: Option<UserId>) -> Self {
        Self { tenant, action: "sign_in", kind: "user", id: id.map(|id| id.to_string()) }
    }

    /// Writes the failure. Nobody is proven, so the server says it; from where it came is beside it.
    pub(super) fn note(&self, tx: &mut Tx<'_>, id: AuditEventId, origin: &Origin, at: Timestamp) -> Result<()> {
        let entry = AuditEntry {
            id,
            at,
            action: self.action,
            resource_type: self.kind,
            resource_id: self.id.clone(),
            outcome: AuditOutcome::Refused,
            error_code: Some(ErrorCode::Unauthenticated.as_str().to_owned()),
            change: None,
        };
        tx.within(self.tenant, |tx| audit::append(tx, &server_principal(self.tenant), origin, entry))
    }
}

impl App {
    /// Writes a failed sign-in in a transaction of its own.
    pub(super) async fn note_refused_sign_in(&self, account: Account, origin: &Origin) -> Result<()> {
        let (id, now, origin) = (self.context.id(), self.context.now(), origin.clone());
        let write = move |tx: &mut Tx<'_>| account.note(tx, id, &origin, now);
        self.store.write(Scope::System(plimsoll_store::SystemReason::SignIn), "sign_in_refused", write).await
    }
}
