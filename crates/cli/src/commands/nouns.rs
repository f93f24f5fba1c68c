//! The nouns of the API: where they are, and the columns of their tables.

use super::resource::Noun;
use crate::output::Column;

pub(crate) const COMPONENT: Noun = Noun {
    name: "component",
    path: "/components",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("REPOSITORY", "/repository"),
        Column::wide("LABELS", "/labels"),
        Column::wide("ID", "/id"),
        Column::new("UPDATED", "/updatedAt"),
    ],
};

pub(crate) const RELEASE: Noun = Noun {
    name: "release",
    path: "/releases",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("VERSION", "/version"),
        Column::new("STATUS", "/status"),
        Column::wide("DIGEST", "/digest"),
        Column::wide("ID", "/id"),
        Column::new("CREATED", "/createdAt"),
    ],
};

pub(crate) const ENVIRONMENT: Noun = Noun {
    name: "env",
    path: "/environments",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("DISPLAY NAME", "/displayName"),
        Column::new("STRATEGY", "/strategy/type"),
        Column::wide("LABELS", "/labels"),
        Column::wide("ID", "/id"),
        Column::new("UPDATED", "/updatedAt"),
    ],
};

pub(crate) const TARGET: Noun = Noun {
    name: "target",
    path: "/targets",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("TYPE", "/type"),
        Column::new("HEALTH", "/status"),
        Column::new("ENVIRONMENT", "/environmentId").of("/environments"),
        Column::wide("AGENT", "/agentId").of("/agents"),
        Column::wide("LABELS", "/labels"),
        Column::wide("ID", "/id"),
    ],
};

pub(crate) const INTEGRATION: Noun = Noun {
    name: "integration",
    path: "/integrations",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("TYPE", "/typeId"),
        Column::new("ENABLED", "/enabled"),
        Column::wide("ID", "/id"),
        Column::new("UPDATED", "/updatedAt"),
    ],
};

pub(crate) const AGENT: Noun = Noun {
    name: "agents",
    path: "/agents",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("STATUS", "/status"),
        Column::new("VERSION", "/version"),
        Column::wide("LABELS", "/labels"),
        Column::wide("ID", "/id"),
        Column::new("LAST SEEN", "/lastHeartbeatAt"),
    ],
};

pub(crate) const PROMOTION: Noun = Noun {
    name: "promotion",
    path: "/promotions",
    columns: &[
        Column::new("ID", "/id"),
        Column::new("STATUS", "/status"),
        Column::new("RELEASE", "/releaseId").of("/releases"),
        Column::new("TO", "/targetEnvironmentId").of("/environments"),
        Column::wide("JOB", "/deploymentJobId"),
        Column::new("REQUESTED", "/requestedAt"),
    ],
};

pub(crate) const JOB: Noun = Noun {
    name: "job",
    path: "/deployment-jobs",
    columns: &[
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
};

pub(crate) const PACKET: Noun = Noun {
    name: "evidence",
    path: "/evidence-packets",
    columns: &[
        Column::new("ID", "/id"),
        Column::new("TYPE", "/type"),
        Column::new("STATUS", "/status"),
        Column::wide("RELEASE", "/releaseId").of("/releases"),
        Column::wide("JOB", "/deploymentJobId"),
        Column::wide("KEY", "/keyId"),
        Column::new("CREATED", "/createdAt"),
    ],
};

pub(crate) const STICKER: Noun = Noun {
    name: "sticker",
    path: "/version-stickers",
    columns: &[
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
};

pub(crate) const FREEZE: Noun = Noun {
    name: "freeze",
    path: "/environments",
    columns: &[
        Column::new("NAME", "/name"),
        Column::new("STARTS", "/startsAt"),
        Column::new("ENDS", "/endsAt"),
        Column::new("RECURRENCE", "/recurrence"),
        Column::new("REASON", "/reason"),
        Column::wide("ID", "/id"),
    ],
};

pub(crate) const TASK_COLUMNS: &[Column] = &[
    Column::new("TARGET", "/targetName"),
    Column::new("STATUS", "/status"),
    Column::new("ERROR", "/error/message"),
    Column::wide("ID", "/id"),
    Column::new("STARTED", "/startedAt"),
    Column::new("FINISHED", "/finishedAt"),
];

pub(crate) const VERSION_COLUMNS: &[Column] = &[
    Column::new("TAG", "/tag"),
    Column::new("VERSION", "/version"),
    Column::new("DIGEST", "/digest"),
    Column::wide("ID", "/id"),
    Column::new("SEEN", "/discoveredAt"),
];

pub(crate) const PENDING_COLUMNS: &[Column] = &[
    Column::new("ID", "/promotionId"),
    Column::new("APPLICATION", "/application"),
    Column::new("VERSION", "/releaseVersion"),
    Column::new("TO", "/environmentName"),
    Column::new("BY", "/requestedBy/name"),
    Column::new("REASON", "/reason"),
    Column::wide("HASH", "/subjectHash"),
    Column::new("REQUESTED", "/requestedAt"),
];

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
    fn strangers<T: PartialSchema>(columns: &[Column]) -> Vec<String> {
        let schema = serde_json::to_value(T::schema()).unwrap();
        let known = schema["properties"].as_object().unwrap_or_else(|| panic!("no properties: {schema}"));
        let field = |column: &Column| column.pointer().split('/').nth(1).unwrap().to_owned();
        columns.iter().map(field).filter(|field| !known.contains_key(field)).collect()
    }

    #[test]
    fn each_column_names_a_field_of_its_resource() {
        let all = [
            strangers::<Component>(COMPONENT.columns),
            strangers::<ComponentVersion>(VERSION_COLUMNS),
            strangers::<Release>(RELEASE.columns),
            strangers::<Environment>(ENVIRONMENT.columns),
            strangers::<Target>(TARGET.columns),
            strangers::<Integration>(INTEGRATION.columns),
            strangers::<Agent>(AGENT.columns),
            strangers::<Promotion>(PROMOTION.columns),
            strangers::<PendingApproval>(PENDING_COLUMNS),
            strangers::<DeploymentJob>(JOB.columns),
            strangers::<Task>(TASK_COLUMNS),
            strangers::<EvidencePacket>(PACKET.columns),
            strangers::<FreezeWindow>(FREEZE.columns),
            strangers::<VersionSticker>(STICKER.columns),
            strangers::<StickerView>(HELD_COLUMNS),
            strangers::<Approval>(APPROVAL_COLUMNS),
            strangers::<GateResult>(GATE_COLUMNS),
            strangers::<DecisionRecord>(DECISION_PARTS[0].columns),
            strangers::<GatePreview>(PREVIEW_PARTS[0].columns),
            strangers::<RuleProgress>(PREVIEW_PARTS[2].columns),
            strangers::<ComponentChange>(PREVIEW_PARTS[3].columns),
            strangers::<PlanTarget>(PREVIEW_PARTS[4].columns),
            strangers::<EnvironmentState>(STATE_COLUMNS),
            strangers::<TestReport>(TEST_PARTS[0].columns),
            strangers::<Check>(TEST_PARTS[1].columns),
            strangers::<DiscoveredItem>(FOUND_COLUMNS),
            strangers::<SyncResult>(SYNC_PARTS[0].columns),
            strangers::<SyncFailure>(SYNC_PARTS[1].columns),
        ];
        assert_eq!(all.concat(), Vec::<String>::new());
    }
}
