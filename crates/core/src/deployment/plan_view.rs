//! The plan of a job as people see it. How it is made is in `deployment::plan`.

use serde::{Deserialize, Serialize};

use crate::{
    Digest,
    id::{ComponentId, TargetId},
    words::words,
};

/// What a job does where, made and hashed at the request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The targets in the order in which they are gone over.
    pub targets: Vec<PlanTarget>,
    /// Targets that get nothing, and why.
    pub left_out: Vec<LeftOut>,
    /// How many batches there are.
    pub batches: u32,
    /// SHA-256 of the canonical JSON of what is done where (targets with their components), which does not
    /// change when a target goes offline or into maintenance.
    pub hash: Digest,
}

/// What one target gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanTarget {
    /// Which target.
    pub target_id: TargetId,
    /// Its name.
    pub name: String,
    /// In which batch, from 0.
    pub batch: u32,
    /// SHA-256 of the canonical JSON of its deployment spec.
    pub spec_digest: Digest,
    /// Why it would be skipped, as things stood when the plan was made. Its turn decides, not this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip: Option<SkipReason>,
    /// The components in the order in which they come up; removed ones last.
    pub components: Vec<PlanComponent>,
}

/// What becomes of one component on one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanComponent {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub name: String,
    /// What becomes of it.
    pub change: PlannedChange,
    /// What runs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_digest: Option<Digest>,
    /// What shall run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_digest: Option<Digest>,
    /// What whoever asks its published ports meanwhile has to expect; absent where nothing is published or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handover: Option<Handover>,
}

/// How requests get from the old container to the new one. Only a router makes this free of failed requests, and
/// there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Handover {
    /// Both run for a while, each on a port of its own; requests to the old one fail from when it stops.
    WithoutRouter,
    /// The old one stops first; requests fail until the new one answers. The task reports the gap.
    Gap,
}

words!(Handover, "handover", {
    WithoutRouter = "without_router",
    Gap = "gap",
});

impl Handover {
    /// In a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::WithoutRouter => {
                "no router takes its requests over: those that still go to the old one's port fail when it stops"
            }
            Self::Gap => "the old one stops before the new one starts: requests fail in between",
        }
    }
}

/// What becomes of a component on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlannedChange {
    /// It comes.
    Added,
    /// Another digest, or the same with another configuration, takes its place.
    Replaced,
    /// It runs so already.
    Unchanged,
    /// It is stopped and removed.
    Removed,
}

/// Why a target is passed over at its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// It is in maintenance.
    Maintenance,
    /// Its agent does not answer; the strategy says what then.
    Offline,
    /// It was deleted after the plan was made.
    Deleted,
}

/// A target that gets nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// Which target.
    pub target_id: TargetId,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: LeftOutReason,
}

/// Why a target gets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeftOutReason {
    /// No component selects it.
    NoComponent,
    /// The request named other targets.
    NotChosen,
}
