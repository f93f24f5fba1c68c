//! The nouns of the API: where they are, and the columns of their tables.

use super::resource::Noun;
use crate::output::{Called, Column, Table};

pub(crate) const COMPONENT: Noun = Noun {
    name: "component",
    path: "/components",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("REPOSITORY", "/repository"),
            Column::wide("LABELS", "/labels"),
            Column::wide("ID", "/id"),
            Column::new("UPDATED", "/updatedAt"),
        ],
    ),
};

pub(crate) const RELEASE: Noun = Noun {
    name: "release",
    path: "/releases",
    table: Table::new(
        Called::Release,
        &[
            Column::new("NAME", "/name"),
            Column::new("VERSION", "/version"),
            Column::new("STATUS", "/status"),
            Column::wide("DIGEST", "/digest"),
            Column::wide("ID", "/id"),
            Column::new("CREATED", "/createdAt"),
        ],
    ),
};

pub(crate) const ENVIRONMENT: Noun = Noun {
    name: "env",
    path: "/environments",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("DISPLAY NAME", "/displayName"),
            Column::new("STRATEGY", "/strategy/type"),
            Column::wide("LABELS", "/labels"),
            Column::wide("ID", "/id"),
            Column::new("UPDATED", "/updatedAt"),
        ],
    ),
};

pub(crate) const TARGET: Noun = Noun {
    name: "target",
    path: "/targets",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("TYPE", "/type"),
            Column::new("HEALTH", "/status"),
            Column::new("ENVIRONMENT", "/environmentId").of("/environments"),
            Column::wide("AGENT", "/agentId").of("/agents"),
            Column::wide("LABELS", "/labels"),
            Column::wide("ID", "/id"),
        ],
    ),
};

pub(crate) const INTEGRATION: Noun = Noun {
    name: "integration",
    path: "/integrations",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("TYPE", "/typeId"),
            Column::new("ENABLED", "/enabled"),
            Column::wide("ID", "/id"),
            Column::new("UPDATED", "/updatedAt"),
        ],
    ),
};

pub(crate) const AGENT: Noun = Noun {
    name: "agents",
    path: "/agents",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("STATUS", "/status"),
            Column::new("VERSION", "/version"),
            Column::wide("LABELS", "/labels"),
            Column::wide("ID", "/id"),
            Column::new("LAST SEEN", "/lastHeartbeatAt"),
        ],
    ),
};

pub(crate) const PROMOTION: Noun = Noun {
    name: "promotion",
    path: "/promotions",
    table: Table::new(
        Called::Id,
        &[
            Column::new("ID", "/id"),
            Column::new("STATUS", "/status"),
            Column::new("RELEASE", "/releaseId").of("/releases"),
            Column::new("TO", "/targetEnvironmentId").of("/environments"),
            Column::wide("JOB", "/deploymentJobId"),
            Column::new("REQUESTED", "/requestedAt"),
        ],
    ),
};

pub(crate) const JOB: Noun = Noun {
    name: "job",
    path: "/deployment-jobs",
    table: Table::new(
        Called::Id,
        &[
            Column::new("ID", "/id"),
            Column::new("KIND", "/kind"),
            Column::new("STATUS", "/status"),
            Column::new("APPLICATION", "/application"),
            Column::new("VERSION", "/releaseVersion"),
            Column::wide("ENVIRONMENT", "/environmentId").of("/environments"),
            Column::wide("PROMOTION", "/promotionId"),
            Column::new("DONE", "/progress/succeeded"),
            Column::new("OF", "/progress/total"),
            Column::new("CREATED", "/createdAt"),
        ],
    ),
};

pub(crate) const PACKET: Noun = Noun {
    name: "evidence",
    path: "/evidence-packets",
    table: Table::new(
        Called::Id,
        &[
            Column::new("ID", "/id"),
            Column::new("TYPE", "/type"),
            Column::new("STATUS", "/status"),
            Column::wide("RELEASE", "/releaseId").of("/releases"),
            Column::wide("JOB", "/deploymentJobId"),
            Column::wide("KEY", "/keyId"),
            Column::new("CREATED", "/createdAt"),
        ],
    ),
};

pub(crate) const STICKER: Noun = Noun {
    name: "sticker",
    path: "/version-stickers",
    table: Table::new(
        Called::Id,
        &[
            Column::new("ID", "/id"),
            Column::new("TARGET", "/targetId").of("/targets"),
            Column::new("ENVIRONMENT", "/environmentId").of("/environments"),
            Column::new("APPLICATION", "/application"),
            Column::new("VERSION", "/releaseVersion"),
            Column::new("VERIFICATION", "/verification"),
            Column::wide("JOB", "/deploymentJobId"),
            Column::wide("SUPERSEDED", "/supersededAt"),
            Column::new("WRITTEN", "/writtenAt"),
        ],
    ),
};

pub(crate) const FREEZE: Noun = Noun {
    name: "freeze",
    path: "/environments",
    table: Table::new(
        Called::Name,
        &[
            Column::new("NAME", "/name"),
            Column::new("STARTS", "/startsAt"),
            Column::new("ENDS", "/endsAt"),
            Column::new("RECURRENCE", "/recurrence"),
            Column::new("REASON", "/reason"),
            Column::wide("ID", "/id"),
        ],
    ),
};

/// All that other nouns' tables refer to by an id.
const REFERRED: [&Noun; 4] = [&RELEASE, &ENVIRONMENT, &TARGET, &AGENT];

/// What those at `path` are called.
pub(crate) fn called(path: &str) -> Called {
    REFERRED.iter().find(|noun| noun.path == path).map_or(Called::Name, |noun| noun.table.called)
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{
        component::{Component, ComponentVersion, SyncFailure, SyncResult},
        deployment::{DeploymentJob, PlanTarget, Task},
        environment::{Environment, FreezeWindow},
        evidence_packet::{EvidencePacket, VersionSticker},
        integration::{Check, DiscoveredItem, Integration, TestReport},
        inventory::{Agent, StickerView, Target},
        promotion::{
            Approval, ComponentChange, DecisionRecord, GatePreview, GateResult, PendingApproval, Promotion,
            RuleProgress,
        },
        release::{EnvironmentState, Release},
    };
    use utoipa::PartialSchema;

    use super::{super::parts::*, *};

    /// The columns that name no field of `T`.
    fn strangers<T: PartialSchema>(table: Table) -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let known = schema["properties"].as_object().unwrap_or_else(|| panic!("no properties: {schema}"));
        let field = |pointer: &str| pointer.split('/').nth(1).unwrap().to_owned();
        let called: &[&str] = match table.called {
            Called::Name => &["/name"],
            Called::Release => &["/name", "/version"],
            Called::Id => &["/id"],
            Called::At(pointer) => &[pointer],
            Called::Nothing => &[],
        };
        let all = table.columns.iter().map(Column::pointer).chain(called.iter().copied());
        all.map(field).filter(|field| !known.contains_key(field)).collect()
    }

    #[test]
    fn each_column_names_a_field_of_its_resource() {
        let all = [
            strangers::<Component>(COMPONENT.table),
            strangers::<ComponentVersion>(VERSIONS),
            strangers::<Release>(RELEASE.table),
            strangers::<Environment>(ENVIRONMENT.table),
            strangers::<Target>(TARGET.table),
            strangers::<Integration>(INTEGRATION.table),
            strangers::<Agent>(AGENT.table),
            strangers::<Promotion>(PROMOTION.table),
            strangers::<PendingApproval>(PENDING),
            strangers::<DeploymentJob>(JOB.table),
            strangers::<Task>(TASKS),
            strangers::<EvidencePacket>(PACKET.table),
            strangers::<FreezeWindow>(FREEZE.table),
            strangers::<VersionSticker>(STICKER.table),
            strangers::<StickerView>(HELD),
            strangers::<Approval>(APPROVALS),
            strangers::<GateResult>(GATES),
            strangers::<DecisionRecord>(DECISION_PARTS[0].table),
            strangers::<GatePreview>(PREVIEW_PARTS[0].table),
            strangers::<RuleProgress>(PREVIEW_PARTS[2].table),
            strangers::<ComponentChange>(PREVIEW_PARTS[3].table),
            strangers::<PlanTarget>(PREVIEW_PARTS[4].table),
            strangers::<EnvironmentState>(STATES),
            strangers::<TestReport>(TEST_PARTS[0].table),
            strangers::<Check>(TEST_PARTS[1].table),
            strangers::<DiscoveredItem>(FOUND),
            strangers::<SyncResult>(SYNC_PARTS[0].table),
            strangers::<SyncFailure>(SYNC_PARTS[1].table),
        ];
        assert_eq!(all.concat(), Vec::<String>::new());
    }
}
