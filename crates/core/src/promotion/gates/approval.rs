//! `approval`: the people who must agree have agreed.

use super::Finding;
use crate::promotion::{
    ApprovalVerdict, Approvers, DecisionInputs, GateVerdict, RuleProgress,
    approval::{Standing, standing},
};

pub(super) fn v1(inputs: &DecisionInputs) -> Finding {
    let (facts, subject) = (&inputs.approval, &inputs.promotion.subject_hash);
    let standings: Vec<Standing> =
        facts.policies.iter().map(|policy| standing(policy, facts, subject, inputs.at)).collect();
    let rules: Vec<&RuleProgress> = standings.iter().flat_map(|one| &one.rules).collect();
    let data = serde_json::json!({ "subjectHash": subject, "rules": rules });
    if facts.given.iter().any(|given| given.verdict == ApprovalVerdict::Rejected) {
        return Finding::new(GateVerdict::Deny, "somebody rejected it", data);
    }
    if facts.policies.is_empty() {
        return Finding::new(GateVerdict::Pass, "nobody has to approve here", data);
    }
    let missing: Vec<String> = rules.iter().filter_map(|rule| lack(rule)).collect();
    if !missing.is_empty() {
        return Finding::new(GateVerdict::Pending, format!("approvals are missing: {}", missing.join("; ")), data);
    }
    let people: usize = rules.iter().map(|rule| rule.given_by.len()).sum();
    let expires = standings.iter().filter_map(|one| one.expires_at).min();
    let reason = if people == 1 {
        "1 approval meets every rule".to_owned()
    } else {
        format!("{people} approvals meet every rule")
    };
    Finding::new(GateVerdict::Pass, reason, data).retry_at(expires)
}

fn lack(rule: &RuleProgress) -> Option<String> {
    let left = (rule.needed as usize).saturating_sub(rule.given_by.len());
    (left > 0).then(|| format!("{:?} needs {left} more from {}", rule.rule, who(&rule.approvers)))
}

fn who(approvers: &Approvers) -> String {
    let mut parts = Vec::new();
    if !approvers.roles.is_empty() {
        parts.push(format!("the role {}", approvers.roles.join(" or ")));
    }
    let named = approvers.users.len() + approvers.clients.len();
    if named > 0 {
        parts.push(format!("{named} named approver{}", if named == 1 { "" } else { "s" }));
    }
    parts.join(" or ")
}
