//! Approval policies, and the approvals that people give.

use serde::{Deserialize, Serialize};

use super::{ComponentChange, GateResult};
use crate::{
    Digest, Timestamp,
    actor::Actor,
    id::{ApprovalId, ApprovalPolicyId, ClientId, EnvironmentId, PromotionId, ReleaseId, UserId},
    label::LabelSelector,
    words::words,
};

/// Who must approve what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalPolicy {
    /// Its id.
    pub id: ApprovalPolicyId,
    /// A slug, unique in the tenant.
    pub name: String,
    /// Environments that it holds for, besides those that name it.
    pub environment_ids: Vec<EnvironmentId>,
    /// And those with such labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_selector: Option<LabelSelector>,
    /// All of these must be met.
    pub rules: Vec<ApprovalRule>,
    /// Whether no maker of the change may approve it.
    pub separation_of_duties: bool,
    /// How long an approval counts; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_seconds: Option<u32>,
    /// Whether each approval needs a comment.
    pub require_comment: bool,
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

/// So many approvals of such people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalRule {
    /// For people.
    pub name: String,
    /// How many different approvers.
    pub min_approvals: u32,
    /// Who counts.
    pub approvers: Approvers,
}

/// Who may approve under a rule: anyone of these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Approvers {
    /// Names of roles, held in the environment.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserId>,
    /// Clients; never counted under separation of duties.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clients: Vec<ClientId>,
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalVerdict {
    /// Yes.
    Approved,
    /// No; one ends the promotion.
    Rejected,
}

words!(ApprovalVerdict, "verdict", {
    Approved = "approved",
    Rejected = "rejected",
});

/// A person's yes or no to a promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// To which promotion.
    pub promotion_id: PromotionId,
    /// Yes or no.
    pub verdict: ApprovalVerdict,
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// The roles by which the approver was eligible; empty if a rule names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// What it was given for.
    pub subject_hash: Digest,
    /// Whether it counts now.
    pub valid: bool,
    /// Why it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void_reason: Option<String>,
}

/// How far one rule is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleProgress {
    /// The policy's name.
    pub policy: String,
    /// The rule's name.
    pub rule: String,
    /// How many it needs.
    pub needed: u32,
    /// The approvers assigned to it.
    pub given_by: Vec<UserId>,
    /// Who may still approve.
    pub approvers: Approvers,
}

/// A promotion that the caller may approve now, with enough to decide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingApproval {
    /// Which promotion.
    pub promotion_id: PromotionId,
    /// What.
    pub release_id: ReleaseId,
    /// The release's application.
    pub application: String,
    /// The release's version.
    pub release_version: String,
    /// Whereto.
    pub target_environment_id: EnvironmentId,
    /// Its name.
    pub environment_name: String,
    /// Why, in the requester's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who asked.
    pub requested_by: Actor,
    /// When.
    pub requested_at: Timestamp,
    /// How long ago.
    pub age_seconds: i64,
    /// What an approval is given for.
    pub subject_hash: Digest,
    /// The difference to what runs there.
    pub changes: Vec<ComponentChange>,
    /// What the gates said last.
    pub gates: Vec<GateResult>,
    /// How far the rules are met.
    pub rules: Vec<RuleProgress>,
}
