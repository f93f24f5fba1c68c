//! The built-in roles as rows: made with each tenant, brought up to date at start.

use plimsoll_core::{
    Result, Timestamp,
    id::{RoleId, TenantId},
    identity::Role,
    permission::BuiltInRole,
};
use plimsoll_store::{
    Scope, SystemReason, Tx, Value,
    identity::access::{self, Concerned},
    resource,
};

use crate::App;

const SCOPE: Scope = Scope::System(SystemReason::Administration);

/// The rows of all built-in roles, with the ids given.
pub(crate) fn rows(ids: &[RoleId], now: Timestamp) -> Vec<Role> {
    BuiltInRole::ALL.iter().zip(ids).map(|(role, id)| row(*role, *id, now)).collect()
}

/// How many ids [`rows`] needs.
pub(crate) const COUNT: usize = BuiltInRole::ALL.len();

fn row(role: BuiltInRole, id: RoleId, now: Timestamp) -> Role {
    Role {
        id,
        name: role.name().to_owned(),
        description: Some(description(role).to_owned()),
        permissions: role.permissions(),
        built_in: true,
        revision: 1,
        created_at: now,
        updated_at: now,
        deleted_at: None,
    }
}

const fn description(role: BuiltInRole) -> &'static str {
    match role {
        BuiltInRole::Admin => "Everything",
        BuiltInRole::ReleaseManager => "Components, releases, workflows, promotions, rollbacks",
        BuiltInRole::Deployer => "Requests promotions and watches them",
        BuiltInRole::Approver => "Approves and rejects promotions",
        BuiltInRole::Operator => "Environments except their rules, targets, agents, integrations, plugins",
        BuiltInRole::Auditor => "Reads everything, evidence and audit included",
        BuiltInRole::Viewer => "Reads what is not sensitive",
        BuiltInRole::Agent => "An agent's own heartbeat and stream",
    }
}

impl App {
    /// Brings the built-in roles of every tenant to what this version of the product says.
    pub(super) async fn settle_built_in_roles(&self) -> Result<()> {
        let tenants = self.store.read(SCOPE, "tenants_read", plimsoll_store::identity::tenants).await?;
        for tenant in tenants {
            let now = self.context.now();
            let fresh: Vec<RoleId> = (0..COUNT).map(|_| self.context.id()).collect();
            let wanted = rows(&fresh, now);
            let outdated = {
                let wanted = wanted.clone();
                self.store.read(SCOPE, "built_in_roles_read", move |tx| differing(tx, tenant, &wanted)).await?
            };
            if !outdated.is_empty() {
                self.store.write(SCOPE, "built_in_roles_settle", move |tx| settle(tx, tenant, &wanted, now)).await?;
            }
        }
        Ok(())
    }
}

/// Those of `wanted` that are missing or differ, each with the row that stands for it now.
fn differing(tx: &mut Tx<'_>, tenant: TenantId, wanted: &[Role]) -> Result<Vec<(Role, Option<Role>)>> {
    let present: Vec<Role> = tx.within(tenant, |tx| resource::find_by(tx, "built_in", Value::Int(1)))?;
    let found = |role: &Role| present.iter().find(|other| other.name == role.name).cloned();
    let differs = |role: &Role, now: &Option<Role>| {
        now.as_ref().is_none_or(|now| now.permissions != role.permissions || now.description != role.description)
    };
    Ok(wanted.iter().map(|role| (role.clone(), found(role))).filter(|(role, now)| differs(role, now)).collect())
}

fn settle(tx: &mut Tx<'_>, tenant: TenantId, wanted: &[Role], now: Timestamp) -> Result<()> {
    let differing = differing(tx, tenant, wanted)?;
    tx.within(tenant, |tx| {
        for (role, current) in &differing {
            match current {
                None => drop(resource::try_insert(tx, role)?),
                Some(current) => {
                    let mut next = Role {
                        permissions: role.permissions.clone(),
                        description: role.description.clone(),
                        updated_at: now,
                        ..current.clone()
                    };
                    resource::update(tx, &mut next)?;
                }
            }
        }
        access::raise(tx, Concerned::Everybody, now)
    })
}
