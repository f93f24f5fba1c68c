//! Request bodies of promotions and approval policies.

use std::collections::BTreeMap;

use garde::Validate;
use plimsoll_core::{
    Digest, Timestamp,
    environment::Strategy,
    id::{EnvironmentId, ReleaseId},
    label::LabelSelector,
    promotion::{ApprovalRule, Override},
    rules,
};
use serde::{Deserialize, Serialize};

use crate::environment::check_strategy;

/// The body of `POST /promotions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreatePromotion {
    /// What.
    #[garde(skip)]
    pub release_id: ReleaseId,
    /// Whereto.
    #[garde(skip)]
    pub target_environment_id: EnvironmentId,
    /// Wherefrom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub source_environment_id: Option<EnvironmentId>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub scheduled_for: Option<Timestamp>,
    /// Not after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub expires_at: Option<Timestamp>,
    /// Instead of the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(check_strategy)))]
    pub strategy: Option<Strategy>,
    /// Variables of this promotion alone.
    #[serde(default)]
    #[garde(custom(rules::variables))]
    pub variables: BTreeMap<String, String>,
    /// Gates that shall not hold it up, and why.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(check_overridden)))]
    pub override_request: Option<Override>,
    /// Whether to go on though the release runs there already.
    #[serde(default)]
    #[garde(skip)]
    pub redeploy: bool,
    /// Whether a gate that denies makes the call fail (422) and nothing is started.
    #[serde(default)]
    #[garde(skip)]
    pub fail_if_blocked: bool,
}

/// The body of `POST /promotions/preview-gates`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PreviewGates {
    /// What.
    #[garde(skip)]
    pub release_id: ReleaseId,
    /// Whereto.
    #[garde(skip)]
    pub target_environment_id: EnvironmentId,
    /// For which moment; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub at: Option<Timestamp>,
    /// Instead of the environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(inner(custom(check_strategy)))]
    pub strategy: Option<Strategy>,
    /// Variables that the promotion would bring.
    #[serde(default)]
    #[garde(custom(rules::variables))]
    pub variables: BTreeMap<String, String>,
}

/// The body of `POST /promotions/{id}/approve`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApproveRequest {
    /// The hash of what the approver was shown.
    #[garde(skip)]
    pub subject_hash: Digest,
    /// In their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub comment: Option<String>,
}

/// The body of `POST /promotions/{id}/reject`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RejectRequest {
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub comment: Option<String>,
    /// The hash of what was shown; checked when given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub subject_hash: Option<Digest>,
}

/// The body of `POST /promotions/{id}/cancel`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CancelPromotion {
    /// Whether targets that have the new release already are put back.
    #[garde(skip)]
    pub rollback: bool,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

/// The body of `POST /promotions/{id}/resume`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ResumePromotion {
    /// Why it may go on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

/// The body of `POST /approval-policies`.
pub type CreateApprovalPolicy = ApprovalPolicyBody;
/// The body of `PUT /approval-policies/{id}`.
pub type UpdateApprovalPolicy = ApprovalPolicyBody;

/// What a caller may say about an approval policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalPolicyBody {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// Environments that it holds for, besides those that name it.
    #[serde(default)]
    #[garde(length(max = 200))]
    pub environment_ids: Vec<EnvironmentId>,
    /// And those with such labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(dive)]
    pub environment_selector: Option<LabelSelector>,
    /// All of these must be met.
    #[garde(length(min = 1, max = 20), custom(check_approval_rules))]
    pub rules: Vec<ApprovalRule>,
    /// Whether no maker of the change may approve it; yes when absent.
    #[serde(default = "yes")]
    #[garde(skip)]
    pub separation_of_duties: bool,
    /// How long an approval counts; for ever when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 60, max = 366 * 86_400))]
    pub expires_after_seconds: Option<u32>,
    /// Whether each approval needs a comment.
    #[serde(default)]
    #[garde(skip)]
    pub require_comment: bool,
    /// Why the rules change; needed when the policy is in force somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    pub reason: Option<String>,
}

const fn yes() -> bool {
    true
}

fn check_overridden(wanted: &Override, (): &()) -> garde::Result {
    rules::ensure((1..=32).contains(&wanted.gates.len()), "must name 1 to 32 gates")?;
    let reason = 1..=rules::DESCRIPTION;
    rules::ensure(reason.contains(&wanted.reason.trim().len()), "must give a reason of at most 4000 bytes")
}

fn check_approval_rules(rules_: &[ApprovalRule], (): &()) -> garde::Result {
    for (at, rule) in rules_.iter().enumerate() {
        rules::ensure((1..=100).contains(&rule.name.len()), "must have names of 1 to 100 bytes")?;
        rules::plain(&rule.name, &())?;
        rules::ensure(rules_[..at].iter().all(|other| other.name != rule.name), "must have each name once")?;
        rules::ensure((1..=20).contains(&rule.min_approvals), "must need 1 to 20 approvals each")?;
        let who = &rule.approvers;
        let listed = who.roles.len() + who.users.len() + who.clients.len();
        rules::ensure((1..=100).contains(&listed), "must name 1 to 100 approvers each")?;
        rules::ensure(who.roles.iter().all(|role| (1..=63).contains(&role.len())), "must name roles by 1 to 63 bytes")?;
        let people = who.users.len() + who.clients.len();
        rules::ensure(
            !who.roles.is_empty() || people >= rule.min_approvals as usize,
            "must name at least as many approvers as they need approvals",
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    #[test]
    fn an_approval_names_what_it_is_for() {
        assert!(serde_json::from_str::<ApproveRequest>(r#"{"comment":"fine"}"#).is_err());
        let zero = "0".repeat(64);
        let body = format!(r#"{{"subjectHash":"sha256:{zero}"}}"#);
        assert!(serde_json::from_str::<ApproveRequest>(&body).is_ok());
    }

    #[test]
    fn a_time_without_an_offset_is_refused() {
        let json =
            serde_json::json!({"releaseId": ID, "targetEnvironmentId": ID, "scheduledFor": "2026-11-23T22:00:00"});
        assert!(serde_json::from_value::<CreatePromotion>(json).is_err());
    }

    #[test]
    fn a_policy_can_be_met() {
        let policy = |rules: serde_json::Value| -> ApprovalPolicyBody {
            serde_json::from_value(serde_json::json!({"name": "two", "rules": rules})).unwrap()
        };
        let rule = |min: u32, approvers: serde_json::Value| serde_json::json!([{"name": "leads", "minApprovals": min, "approvers": approvers}]);
        assert!(policy(rule(2, serde_json::json!({"roles": ["approver"]}))).validate().is_ok());
        assert!(policy(rule(1, serde_json::json!({"users": [ID]}))).validate().is_ok());
        assert!(policy(rule(2, serde_json::json!({"users": [ID]}))).validate().is_err(), "two of one");
        assert!(policy(rule(1, serde_json::json!({}))).validate().is_err(), "of nobody");
        assert!(policy(rule(0, serde_json::json!({"roles": ["approver"]}))).validate().is_err(), "none needed");
        assert!(policy(serde_json::json!([])).validate().is_err(), "no rule");
    }
}
