//! What approvals are given for, as one hash. Any change under it voids them; nothing else does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Approvers, Override, ResolvedTargetValues, RulesInForce};
use crate::{
    Digest, canonical,
    deployment::{
        Plan,
        plan::{Specs, content},
    },
    environment::Strategy,
    error::Result,
    id::{ApprovalPolicyId, EnvironmentId, TargetId},
    label::Labels,
};

/// A secret and which value of it: never the value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretVersion {
    /// Its name.
    pub name: String,
    /// The targets that it is for.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub target_labels: Labels,
    /// The version of the value that we keep; absent for one that is kept elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// Where it is kept, if elsewhere: its path counts as its version, since we can't see it change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// What a subject is made from.
#[derive(Clone, Copy, Debug)]
pub struct SubjectParts<'a> {
    /// Of the sealed release.
    pub release_digest: Digest,
    /// Whereto.
    pub environment_id: EnvironmentId,
    /// How.
    pub strategy: &'a Strategy,
    /// The resolved variables of every component on every target.
    pub variables: &'a [ResolvedTargetValues],
    /// The secrets that the components are given.
    pub secrets: &'a [SecretVersion],
    /// What decides.
    pub rules: &'a RulesInForce,
    /// What is done where.
    pub plan: &'a Plan,
    /// Gates that shall not hold it up.
    pub override_request: Option<&'a Override>,
}

/// What approvals are given for, part by part, so that a change can be named. Stored with the promotion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    release_digest: Digest,
    environment_id: EnvironmentId,
    strategy: Digest,
    variables: Digest,
    secrets: Digest,
    rules: Digest,
    plan: Digest,
    #[serde(rename = "override")]
    override_request: Digest,
}

impl Subject {
    /// Reduces `parts` to digests of their canonical JSON.
    pub fn of(parts: SubjectParts<'_>) -> Result<Self> {
        let mut secrets = parts.secrets.to_vec();
        secrets.sort();
        Ok(Self {
            release_digest: parts.release_digest,
            environment_id: parts.environment_id,
            strategy: canonical::digest(parts.strategy)?,
            variables: canonical::digest(&values(parts.variables))?,
            secrets: canonical::digest(&secrets)?,
            rules: canonical::digest(&rules(parts.rules))?,
            plan: canonical::digest(&content(&parts.plan.targets, Specs::Without))?,
            override_request: canonical::digest(&parts.override_request)?,
        })
    }

    /// The `subjectHash`.
    pub fn hash(&self) -> Result<Digest> {
        canonical::digest(self)
    }

    /// The parts in which `newer` differs, as people call them.
    #[must_use]
    pub fn changed(&self, newer: &Self) -> Vec<&'static str> {
        [
            ("release", self.release_digest == newer.release_digest),
            ("environment", self.environment_id == newer.environment_id),
            ("strategy", self.strategy == newer.strategy),
            ("variables", self.variables == newer.variables),
            ("secrets", self.secrets == newer.secrets),
            ("rules", self.rules == newer.rules),
            ("plan", self.plan == newer.plan),
            ("override", self.override_request == newer.override_request),
        ]
        .into_iter()
        .filter_map(|(name, same)| (!same).then_some(name))
        .collect()
    }
}

/// Values alone: which layer one comes from does not matter for what runs.
fn values(resolved: &[ResolvedTargetValues]) -> BTreeMap<String, BTreeMap<&str, BTreeMap<&str, &str>>> {
    let mut by_target: BTreeMap<TargetId, BTreeMap<&str, BTreeMap<&str, &str>>> = BTreeMap::new();
    for one in resolved {
        let values = one.values.iter().map(|(name, value)| (name.as_str(), value.value.as_str())).collect();
        by_target.entry(one.target_id).or_default().insert(&one.component, values);
    }
    by_target.into_iter().map(|(target, components)| (target.to_string(), components)).collect()
}

/// What decides, without the names that people gave it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RuleContent<'a> {
    gates: &'a [crate::environment::GateDefinition],
    promotes_from: &'a crate::environment::PromotesFrom,
    soak_seconds: u32,
    policies: Vec<PolicyContent<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PolicyContent<'a> {
    id: ApprovalPolicyId,
    rules: Vec<(u32, &'a Approvers)>,
    separation_of_duties: bool,
    expires_after_seconds: Option<u32>,
    require_comment: bool,
}

fn rules(rules: &RulesInForce) -> RuleContent<'_> {
    let policies = rules.policies.iter().map(|policy| PolicyContent {
        id: policy.id,
        rules: policy.rules.iter().map(|rule| (rule.min_approvals, &rule.approvers)).collect(),
        separation_of_duties: policy.separation_of_duties,
        expires_after_seconds: policy.expires_after_seconds,
        require_comment: policy.require_comment,
    });
    RuleContent {
        gates: &rules.gates,
        promotes_from: &rules.promotes_from,
        soak_seconds: rules.soak_seconds,
        policies: policies.collect(),
    }
}

#[cfg(test)]
#[path = "subject_tests.rs"]
mod tests;
