//! Approvals: which count, and whether they meet the policies. N of M by a maximum matching of people to
//! rules, so that no one's yes is spent on a rule that somebody else could have met.

use std::collections::BTreeSet;

use super::{ApprovalFacts, ApprovalRule, ApprovalVerdict, ApproverFacts, Maker, PolicyFacts, RuleProgress};
use crate::{
    Digest, Timestamp,
    audit::PrincipalType,
    error::{Error, ErrorCode, Result},
    id::{ClientId, TypedId, UserId},
};

/// How many people an override needs, whatever the policies say.
pub const OVERRIDE_APPROVALS: usize = 2;

/// Why an approval does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// What it was given for changed.
    SubjectChanged,
    /// It is too old.
    Expired,
    /// The giver was deactivated.
    Inactive,
    /// The giver may no longer approve here.
    NotPermitted,
    /// The giver took part in making it.
    Maker,
    /// It did not come from somebody who signed in themselves.
    NotAPerson,
    /// It came without the comment that the policy asks for.
    NoComment,
    /// The giver is none of the approvers.
    NotEligible,
}

impl Void {
    /// For people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SubjectChanged => "what it was given for changed afterwards",
            Self::Expired => "it is older than the policy allows",
            Self::Inactive => "the approver was deactivated",
            Self::NotPermitted => "the approver may no longer approve in this environment",
            Self::Maker => "the approver took part in making the change",
            Self::NotAPerson => "only people who signed in themselves approve here",
            Self::NoComment => "the policy asks for a comment and it has none",
            Self::NotEligible => "the approver is none of those whom the policy names",
        }
    }
}

/// How far one policy is met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Rule by rule.
    pub rules: Vec<RuleProgress>,
    /// Whether every rule has its approvals.
    pub met: bool,
    /// When the first approval that counts runs out.
    pub expires_at: Option<Timestamp>,
}

/// Whether `given` counts for `policy` at `at`; else why not.
pub fn counts(
    given: &ApproverFacts,
    policy: &PolicyFacts,
    makers: &[Maker],
    subject: &Digest,
    at: Timestamp,
) -> Result<(), Void> {
    let still_itself = || {
        check(given.subject_hash == *subject, Void::SubjectChanged)?;
        check(given.active, Void::Inactive)?;
        check(given.may_approve, Void::NotPermitted)
    };
    let fresh = expiry(given, policy).is_none_or(|end| at < end);
    let named = policy.rules.iter().any(|rule| fits(rule, given));
    still_itself()?;
    match given.principal_type {
        PrincipalType::User => {}
        PrincipalType::Client => check(!policy.separation_of_duties && named, Void::NotAPerson)?,
        PrincipalType::Agent | PrincipalType::System => return Err(Void::NotAPerson),
    }
    check(!policy.separation_of_duties || maker(given, makers).is_none(), Void::Maker)?;
    check(named, Void::NotEligible)?;
    check(!policy.require_comment || given.commented, Void::NoComment)?;
    check(fresh, Void::Expired)
}

fn check(holds: bool, void: Void) -> Result<(), Void> {
    if holds { Ok(()) } else { Err(void) }
}

fn expiry(given: &ApproverFacts, policy: &PolicyFacts) -> Option<Timestamp> {
    policy.expires_after_seconds.map(|seconds| given.at.plus_seconds(i64::from(seconds)))
}

fn maker<'a>(given: &ApproverFacts, makers: &'a [Maker]) -> Option<&'a Maker> {
    makers.iter().find(|maker| maker.user_id == given.user_id || Some(maker.user_id) == given.owner)
}

/// Whether `rule` names the giver: a person by role or by name, a client only by name.
fn fits(rule: &ApprovalRule, given: &ApproverFacts) -> bool {
    match given.principal_type {
        PrincipalType::User => {
            rule.approvers.users.contains(&given.user_id)
                || rule.approvers.roles.iter().any(|role| given.roles.contains(role))
        }
        PrincipalType::Client => rule.approvers.clients.contains(&ClientId::from_uuid(given.principal_id)),
        PrincipalType::Agent | PrincipalType::System => false,
    }
}

/// The yeses that count for `policy`, each person once.
fn counting<'a>(
    policy: &PolicyFacts,
    facts: &'a ApprovalFacts,
    subject: &Digest,
    at: Timestamp,
) -> Vec<&'a ApproverFacts> {
    let mut people = BTreeSet::new();
    let yes = facts.given.iter().filter(|given| given.verdict == ApprovalVerdict::Approved);
    yes.filter(|given| counts(given, policy, &facts.makers, subject, at).is_ok())
        .filter(|given| people.insert(given.person()))
        .collect()
}

/// How far `policy` is met at `at`.
#[must_use]
pub fn standing(policy: &PolicyFacts, facts: &ApprovalFacts, subject: &Digest, at: Timestamp) -> Standing {
    let approvers = counting(policy, facts, subject, at);
    let assigned = assign(&policy.rules, &approvers);
    let rules: Vec<RuleProgress> = policy
        .rules
        .iter()
        .zip(&assigned)
        .map(|(rule, people)| RuleProgress {
            policy: policy.name.clone(),
            rule: rule.name.clone(),
            needed: rule.min_approvals,
            given_by: people.iter().map(|index| approvers[*index].user_id).collect(),
            approvers: rule.approvers.clone(),
        })
        .collect();
    let met = rules.iter().all(|rule| rule.given_by.len() >= rule.needed as usize);
    let expires_at = approvers.iter().filter_map(|given| expiry(given, policy)).min();
    Standing { rules, met, expires_at }
}

/// Gives approvers to rules one to one, as many as can be (Kuhn's augmenting paths over the rules' slots).
/// Answers for each rule the indexes of its approvers.
fn assign(rules: &[ApprovalRule], approvers: &[&ApproverFacts]) -> Vec<Vec<usize>> {
    let slots: Vec<usize> =
        rules.iter().enumerate().flat_map(|(index, rule)| vec![index; rule.min_approvals as usize]).collect();
    let mut slot_of: Vec<Option<usize>> = vec![None; approvers.len()];
    for slot in 0..slots.len() {
        let mut tried = vec![false; approvers.len()];
        augment(slot, &slots, rules, approvers, &mut slot_of, &mut tried);
    }
    let mut by_rule = vec![Vec::new(); rules.len()];
    for (approver, slot) in slot_of.iter().enumerate() {
        if let Some(slot) = slot {
            by_rule[slots[*slot]].push(approver);
        }
    }
    by_rule
}

/// Finds `slot` an approver, moving others along if need be.
fn augment(
    slot: usize,
    slots: &[usize],
    rules: &[ApprovalRule],
    approvers: &[&ApproverFacts],
    slot_of: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for (index, given) in approvers.iter().enumerate() {
        if tried[index] || !fits(&rules[slots[slot]], given) {
            continue;
        }
        tried[index] = true;
        let free = match slot_of[index] {
            None => true,
            Some(other) => augment(other, slots, rules, approvers, slot_of, tried),
        };
        if free {
            slot_of[index] = Some(slot);
            return true;
        }
    }
    false
}

/// The people whose yes counts for an override: at least [`OVERRIDE_APPROVALS`], who may approve here, none
/// of them a maker, whatever the policies allow.
#[must_use]
pub fn override_approvers(facts: &ApprovalFacts, subject: &Digest) -> Vec<UserId> {
    let mut people = BTreeSet::new();
    let good = facts.given.iter().filter(|given| {
        given.verdict == ApprovalVerdict::Approved
            && given.principal_type == PrincipalType::User
            && given.subject_hash == *subject
            && given.active
            && given.may_approve
            && maker(given, &facts.makers).is_none()
    });
    people.extend(good.map(ApproverFacts::person));
    people.into_iter().collect()
}

/// Whether `caller` may say yes or no now: 403 or 409 else, 400 for a missing comment. `caller` is what
/// their approval would be. `overrides` tells that the promotion asks for an override, which any approver
/// who is no maker may answer.
pub fn may_decide(
    facts: &ApprovalFacts,
    caller: &ApproverFacts,
    subject: &Digest,
    at: Timestamp,
    asks: Asks,
) -> Result<()> {
    let same = |given: &&ApproverFacts| given.person() == caller.person() && given.subject_hash == *subject;
    if caller.subject_hash != *subject {
        return Err(subject_changed(*subject, &[]));
    }
    let voids: Vec<Void> =
        facts.policies.iter().filter_map(|policy| counts(caller, policy, &facts.makers, subject, at).err()).collect();
    let any_policy = voids.len() < facts.policies.len();
    let any = any_policy || (asks == Asks::Override && counts_for_override(caller, facts, subject));
    if !any {
        return Err(refusal(&voids, caller, facts, asks));
    }
    // One that has run out since may be given anew.
    let counts_still = |given: &&ApproverFacts| {
        facts.policies.iter().any(|policy| counts(given, policy, &facts.makers, subject, at).is_ok())
            || (asks == Asks::Override && counts_for_override(given, facts, subject))
    };
    if let Some(before) = facts.given.iter().filter(same).find(counts_still) {
        let word = before.verdict.as_str();
        return Err(Error::new(
            ErrorCode::AlreadyDecided,
            format!("you have {word} this promotion already; nothing is left to do"),
        ));
    }
    Ok(())
}

/// What a promotion asks of its approvers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// That the policies are met.
    Policies,
    /// And that gates are overridden.
    Override,
}

fn counts_for_override(caller: &ApproverFacts, facts: &ApprovalFacts, subject: &Digest) -> bool {
    let alone = ApprovalFacts { given: vec![caller.clone()], ..facts.clone() };
    !override_approvers(&alone, subject).is_empty()
}

fn refusal(voids: &[Void], caller: &ApproverFacts, facts: &ApprovalFacts, asks: Asks) -> Error {
    // An override keeps makers away whatever the policies say.
    let kept_away = asks == Asks::Override && maker(caller, &facts.makers).is_some();
    if kept_away || voids.contains(&Void::Maker) {
        let part = maker(caller, &facts.makers).map_or("took part", |maker| maker.because.phrase());
        return Error::new(
            ErrorCode::SeparationOfDuties,
            format!("you can't decide on this promotion, because you {part}; somebody who had no part in it must"),
        );
    }
    if voids.contains(&Void::NoComment) {
        return Error::field("comment", "required", "the approval policy asks for a comment");
    }
    let why = voids.first().map_or("no approval policy is in force here", |void| void.reason());
    Error::new(ErrorCode::ApproverNotEligible, format!("you can't decide on this promotion: {why}"))
}

/// The error for an approval of something that is no longer so.
#[must_use]
pub fn subject_changed(now: Digest, changed: &[&str]) -> Error {
    Error::new(
        ErrorCode::SubjectChanged,
        "what is to be approved changed since you looked at it; read the promotion again, then approve its subjectHash",
    )
    .details(serde_json::json!({ "subjectHash": now, "changed": changed }))
}

#[cfg(test)]
#[path = "approval_tests.rs"]
mod tests;
