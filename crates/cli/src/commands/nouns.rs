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
        Column::new("ENVIRONMENT", "/environmentId"),
        Column::wide("AGENT", "/agentId"),
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
        Column::new("RELEASE", "/releaseId"),
        Column::new("TO", "/targetEnvironmentId"),
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
        Column::wide("ENVIRONMENT", "/environmentId"),
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
        Column::wide("RELEASE", "/releaseId"),
        Column::wide("JOB", "/deploymentJobId"),
        Column::wide("KEY", "/keyId"),
        Column::new("CREATED", "/createdAt"),
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
        component::{Component, ComponentVersion},
        deployment::{DeploymentJob, Task},
        environment::{Environment, FreezeWindow},
        evidence_packet::EvidencePacket,
        integration::Integration,
        inventory::{Agent, Target},
        promotion::{PendingApproval, Promotion},
        release::Release,
    };
    use utoipa::PartialSchema;

    use super::*;

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
        ];
        assert_eq!(all.concat(), Vec::<String>::new());
    }
}
