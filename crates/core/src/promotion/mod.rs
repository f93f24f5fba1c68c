//! Promotions: requests to bring a release into an environment, their gates, approvals and decisions.

pub mod approval;
pub mod decide;
pub mod facts;
pub mod gates;
pub mod makers;
pub mod policy;
pub mod preview;
pub mod rules;
pub mod state;
pub mod subject;
pub mod verdict;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Timestamp,
    actor::Actor,
    deployment::Plan,
    environment::{GateType, Strategy},
    id::{EnvironmentId, EvidencePacketId, JobId, PromotionId, ReleaseId},
    words::words,
};

pub use facts::{
    ApprovalFacts, ApproverFacts, DecisionInputs, EnvironmentFacts, FreezeFacts, GateInForce, PolicyFacts,
    PredecessorFacts, PromotionFacts, ReleaseFacts, Unprepared,
};
pub use makers::{Maker, MakerRole};
pub use policy::{Approval, ApprovalPolicy, ApprovalRule, ApprovalVerdict, Approvers, PendingApproval, RuleProgress};
pub use preview::{ComponentChange, ComponentChangeKind, GatePreview, ResolvedTargetValues};
pub use rules::RulesInForce;
pub use state::PromotionCommand;
pub use subject::{SecretVersion, Subject};
pub use verdict::{Decision, DecisionOutcome, DecisionRecord, GateResult, GateVerdict, SubjectChange};

/// The request to bring a release into an environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// Its id.
    pub id: PromotionId,
    /// What.
    pub release_id: ReleaseId,
    /// The release's application.
    pub application: String,
    /// The release's version, for people.
    pub release_version: String,
    /// Whereto.
    pub target_environment_id: EnvironmentId,
    /// Wherefrom, if the requester named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_environment_id: Option<EnvironmentId>,
    /// How it stands.
    pub status: PromotionStatus,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked.
    pub requested_by: Actor,
    /// When.
    pub requested_at: Timestamp,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How the targets are gone over.
    pub strategy: Strategy,
    /// Variables of this promotion alone; they win over all others.
    pub variables: BTreeMap<String, String>,
    /// Gates that shall not hold it up, and why.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_request: Option<Override>,
    /// Whether it was asked for though the release runs there already.
    #[serde(default)]
    pub redeploy: bool,
    /// What will be done, made at the request.
    pub plan: Plan,
    /// What approvals are given for.
    pub subject_hash: Digest,
    /// The last evaluation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The job that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_job_id: Option<JobId>,
    /// The records of it.
    pub evidence_packet_ids: Vec<EvidencePacketId>,
    /// The promotion that took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<PromotionId>,
    /// Whether a rollback holds it until a person releases it.
    #[serde(default)]
    pub held: bool,
    /// Raised by every change.
    pub revision: i64,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// How a promotion stands. The moves between these are in `promotion::state`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PromotionStatus {
    /// Its gates are being looked at.
    Evaluating,
    /// A gate other than approval denies or is pending.
    Blocked,
    /// Only approvals are missing.
    AwaitingApproval,
    /// All gates pass, its time has not come.
    Scheduled,
    /// All gates pass, it waits for its turn.
    Approved,
    /// A job carries it out.
    Deploying,
    /// It is there.
    Deployed,
    /// The job failed.
    Failed,
    /// What it brought was put back.
    RolledBack,
    /// Somebody said no.
    Rejected,
    /// Somebody took it back.
    Cancelled,
    /// Its time ran out.
    Expired,
    /// A newer release took its place.
    Superseded,
}

words!(PromotionStatus, "status of a promotion", {
    Evaluating = "evaluating",
    Blocked = "blocked",
    AwaitingApproval = "awaiting_approval",
    Scheduled = "scheduled",
    Approved = "approved",
    Deploying = "deploying",
    Deployed = "deployed",
    Failed = "failed",
    RolledBack = "rolled_back",
    Rejected = "rejected",
    Cancelled = "cancelled",
    Expired = "expired",
    Superseded = "superseded",
});

/// The wish to pass gates that do not pass. Itself governed: it needs its own approvals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// Which gates.
    pub gates: Vec<GateType>,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod testing;
