//! Environments: stages that releases are promoted into, and the rules at their doors.

pub mod freeze;
pub mod freeze_window;
pub mod gate;
pub mod path;
mod recurrence;
pub mod secret;
pub mod strategy;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    id::{ApprovalPolicyId, ComponentId, EnvironmentId},
    label::{LabelSelector, Labels},
};

pub use freeze_window::{Exemptions, FreezeWindow, Occurrence, When};
pub use gate::{GateDefinition, GateType};
pub use secret::secret_for;
pub use strategy::{BatchSize, FailurePolicy, OfflineTargets, Strategy};

/// A stage that releases are promoted into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// A slug, unique in the tenant.
    pub name: String,
    /// For people; the name when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its place in lists, smallest first.
    pub order_index: i32,
    /// Where a release must have been deployed first.
    pub promotes_from: PromotesFrom,
    /// The policy that approvals must meet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_policy_id: Option<ApprovalPolicyId>,
    /// The gates in their order. Gates that the other fields imply are in force even when not listed.
    pub gates: Vec<GateDefinition>,
    /// How long the release must have run, uninterrupted, in each required predecessor.
    pub soak_seconds: u32,
    /// The deployment strategy of promotions that name none.
    pub strategy: Strategy,
    /// Whether one job at a time runs here for all applications together, not one for each.
    pub exclusive: bool,
    /// Whether a newer release of an application supersedes one that still waits.
    pub supersede_waiting: bool,
    /// Where components go, instead of where they say themselves.
    pub placements: Vec<Placement>,
    /// Variables of every target here.
    pub variables: BTreeMap<String, String>,
    /// Variables of targets with certain labels; more labels win.
    pub scoped_variables: Vec<ScopedVariables>,
    /// Secrets by name; the values are sealed and never shown.
    pub secret_refs: Vec<SecretRef>,
    /// Labels.
    pub labels: Labels,
    /// IANA name of the zone that people here think in.
    pub timezone: String,
    /// Raised by every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// The environments that a release passes first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PromotesFrom {
    /// Which.
    pub environment_ids: Vec<EnvironmentId>,
    /// How many of them suffice; all when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
}

/// Where one component goes in this environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Placement {
    /// Which component.
    pub component_id: ComponentId,
    /// The targets that it goes to.
    pub selector: LabelSelector,
}

/// Variables for the targets that have all of `targetLabels`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ScopedVariables {
    /// The labels that a target must have; at least one.
    pub target_labels: Labels,
    /// The variables.
    pub variables: BTreeMap<String, String>,
}

/// A secret that containers here may be given. The value itself is never part of any answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The name by which runtimes ask for it.
    pub name: String,
    /// The labels that a target must have; every target when empty.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub target_labels: Labels,
    /// Raised by every new value.
    pub version: i64,
    /// When the value was last set.
    pub updated_at: Timestamp,
}
