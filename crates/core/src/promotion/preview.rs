//! What a promotion would do, without doing it.

use serde::{Deserialize, Serialize};

use super::{DecisionOutcome, GateResult, RuleProgress};
use crate::{
    Digest, Timestamp,
    deployment::{Plan, spec::ResolvedValues},
    id::{ComponentId, EnvironmentId, ReleaseId, TargetId},
};

/// The verdicts without any effect, for now or for a moment to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatePreview {
    /// What.
    pub release_id: ReleaseId,
    /// Whereto.
    pub target_environment_id: EnvironmentId,
    /// For which moment.
    pub at: Timestamp,
    /// What would follow.
    pub outcome: DecisionOutcome,
    /// Each gate in order.
    pub gates: Vec<GateResult>,
    /// What would be done.
    pub plan: Plan,
    /// What approvals would be given for.
    pub subject_hash: Digest,
    /// The difference to what runs there.
    pub changes: Vec<ComponentChange>,
    /// The resolved variables with the source of each value.
    pub variables: Vec<ResolvedTargetValues>,
    /// What is missing and from whom.
    pub missing_approvals: Vec<RuleProgress>,
}

/// The resolved variables of one component on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResolvedTargetValues {
    /// Which target.
    pub target_id: TargetId,
    /// Its name.
    pub target_name: String,
    /// The component's name.
    pub component: String,
    /// The values.
    #[schema(value_type = std::collections::BTreeMap<String, crate::deployment::spec::ResolvedValue>)]
    pub values: ResolvedValues,
}

/// What becomes of one component.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentChange {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub change: ComponentChangeKind,
    /// The tag that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_tag: Option<String>,
    /// The digest that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_digest: Option<Digest>,
    /// The tag that comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_tag: Option<String>,
    /// The digest that comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_digest: Option<Digest>,
}

/// What becomes of a component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComponentChangeKind {
    /// It comes.
    Added,
    /// It is stopped and removed.
    Removed,
    /// Another digest takes its place.
    Changed,
    /// The same digest stays.
    Unchanged,
}
