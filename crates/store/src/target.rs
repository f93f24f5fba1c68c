//! Targets as rows.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result, Timestamp,
    id::{AgentId, EnvironmentId, IntegrationId, TargetId, TenantId},
    inventory::{RunningApplication, Target, TargetStatus, TargetType},
};

use crate::{
    IntoValue, Tx, Value,
    deployment::running,
    params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

const TYPES: &[&str] = &[TargetType::DockerHost.as_str(), TargetType::ProcessHost.as_str()];
const STATUSES: &[&str] = &[
    TargetStatus::Unknown.as_str(),
    TargetStatus::Healthy.as_str(),
    TargetStatus::Degraded.as_str(),
    TargetStatus::Unhealthy.as_str(),
    TargetStatus::Unreachable.as_str(),
];

impl Resource for Target {
    type Id = TargetId;
    const TABLE: Table = Table {
        name: "target",
        noun: "target",
        fields: &[
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: true },
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "type", column: "type", kind: FieldKind::Enum(TYPES), sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(STATUSES), sortable: true },
            Field { api: "agentId", column: "agent_id", kind: FieldKind::Id, sortable: false },
            Field { api: "maintenance", column: "maintenance", kind: FieldKind::Bool, sortable: true },
            Field {
                api: "reconciliationPending",
                column: "reconciliation_pending",
                kind: FieldKind::Bool,
                sortable: false,
            },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["agentId"], ""),
            Indexed::new(&["environmentId"], "name"),
        ],
    };
    fn id(&self) -> TargetId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.environment_id.into_value(),
            self.name.as_str().into_value(),
            self.kind.as_str().into_value(),
            self.status.as_str().into_value(),
            self.agent_id.into_value(),
            self.maintenance.into_value(),
            self.reconciliation_pending.into_value(),
            self.updated_at.into_value(),
        ]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// The targets that name a mirror of a registry's integration.
pub fn with_mirror_of(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Vec<Target>> {
    // The key in the body's JSON narrows it down; labels may hold the same text.
    let key = format!("%\"{id}\":%");
    let mut found: Vec<Target> = resource::find_where(tx, "body LIKE $2 ORDER BY name, id", params![key.as_str()])?;
    found.retain(|one| one.registry_mirrors.contains_key(&id));
    Ok(found)
}

/// The targets of an environment, by name.
pub fn of_environment(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<Target>> {
    resource::find_where(tx, "environment_id = $2 ORDER BY name, id", params![environment])
}

/// The targets that name this agent, by name. Those that choose it by labels are not among them.
pub fn of_agent(tx: &mut Tx<'_>, agent: AgentId) -> Result<Vec<Target>> {
    resource::find_where(tx, "agent_id = $2 ORDER BY name, id", params![agent])
}

/// The targets that choose their agent by labels.
pub fn by_selector(tx: &mut Tx<'_>) -> Result<Vec<Target>> {
    let unnamed: Vec<Target> = resource::find_where(tx, "agent_id IS NULL ORDER BY name, id", params![])?;
    Ok(unnamed.into_iter().filter(|target| target.agent_selector.is_some()).collect())
}

/// Targets of any tenant that wait to be observed; in a system transaction.
pub fn unsettled(tx: &mut Tx<'_>) -> Result<Vec<(TenantId, TargetId)>> {
    let rows = tx.query(
        "SELECT tenant_id, id FROM target WHERE reconciliation_pending = 1 AND deleted_at IS NULL
         ORDER BY updated_at LIMIT 500",
        params![],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// Fills in what runs on a target, as the tasks reported it.
pub fn with_running(tx: &mut Tx<'_>, mut target: Target) -> Result<Target> {
    let found = running::on_target(tx, target.id)?;
    target.running = found
        .into_iter()
        .map(|one| RunningApplication {
            application: one.application,
            release_id: one.release,
            deployment_job_id: one.job,
            since: one.since,
        })
        .collect();
    Ok(target)
}

/// Writes what was observed of a target (status, endpoints, …) over the revision that was read. It is no
/// change that a person made, so the revision stays. `false` when somebody changed the target meanwhile.
pub fn observe(tx: &mut Tx<'_>, target: &Target) -> Result<bool> {
    resource::update_observed(tx, target)
}
