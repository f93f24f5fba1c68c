//! Saying yes or no to a promotion.

use plimsoll_core::{
    Digest, Error, ErrorCode, Result,
    actor::Actor,
    context::Context,
    id::{EnvironmentId, PromotionId},
    promotion::{
        Approval, ApprovalFacts, ApprovalVerdict, ApproverFacts, Promotion, PromotionCommand,
        approval::{Asks, may_decide, subject_changed},
    },
};
use plimsoll_protocol::promotion::{ApproveRequest, RejectRequest};
use plimsoll_store::{
    Lock, Tx,
    promotion::{self as rows, PromotionRow},
    resource,
};

use super::{
    decide::{evaluate, settle},
    facts, wake,
};
use crate::{App, Caller, Change, Notes, Reply};

impl App {
    /// Says yes to what the caller was shown.
    pub async fn promotion_approve(&self, caller: &Caller, id: PromotionId, body: ApproveRequest) -> Result<Reply> {
        let (owned, context) = (caller.clone(), self.context.clone());
        self.mutate(caller, move |tx, notes| {
            let given = Given {
                verdict: ApprovalVerdict::Approved,
                comment: body.comment.clone(),
                subject: Some(body.subject_hash),
            };
            let before = open(tx, &owned, id)?;
            owned.check_revision(before.promotion.revision)?;
            let row = decide(tx, notes, before.clone(), &owned, given, &context)?;
            changed(&before, row)
        })
        .await
    }

    /// Says no, which ends the promotion.
    pub async fn promotion_reject(&self, caller: &Caller, id: PromotionId, body: RejectRequest) -> Result<Reply> {
        let (owned, context) = (caller.clone(), self.context.clone());
        self.mutate(caller, move |tx, notes| {
            let given =
                Given { verdict: ApprovalVerdict::Rejected, comment: body.comment.clone(), subject: body.subject_hash };
            let before = open(tx, &owned, id)?;
            owned.check_revision(before.promotion.revision)?;
            let row = decide(tx, notes, before.clone(), &owned, given, &context)?;
            changed(&before, row)
        })
        .await
    }
}

/// What a caller says.
#[derive(Clone, Debug)]
struct Given {
    verdict: ApprovalVerdict,
    comment: Option<String>,
    subject: Option<Digest>,
}

/// The promotion, locked, if the caller may see what happens in its environment.
pub(super) fn open(tx: &mut Tx<'_>, caller: &Caller, id: PromotionId) -> Result<PromotionRow> {
    let known: PromotionRow = resource::get(tx, id)?;
    caller.may_in(known.promotion.target_environment_id)?;
    tx.lock(&Lock::Promotion(id))?;
    resource::get(tx, id)
}

fn decide(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    mut row: PromotionRow,
    caller: &Caller,
    given: Given,
    context: &Context,
) -> Result<PromotionRow> {
    let command = match given.verdict {
        ApprovalVerdict::Approved => PromotionCommand::Approve,
        ApprovalVerdict::Rejected => PromotionCommand::Reject,
    };
    row.promotion.status.after(command).map_err(|error| decided_before(&row.promotion, error))?;
    // Against what is there now, not against what was there when it was last looked at.
    evaluate(tx, notes, &mut row, context)?;
    let now = row.promotion.subject_hash;
    let seen = given.subject.unwrap_or(now);
    if seen != now {
        return Err(subject_changed(now, &row.changed_since(&seen)));
    }
    let environment = row.promotion.target_environment_id;
    let mut approval = Approval {
        id: notes.id(),
        promotion_id: row.promotion.id,
        verdict: given.verdict,
        by: Actor::from(&caller.principal),
        at: notes.now(),
        roles: Vec::new(),
        comment: given.comment,
        subject_hash: seen,
        valid: true,
        void_reason: None,
    };
    let person = facts::approver(tx, &approval, environment)?;
    check(tx, &row, &person, environment)?;
    approval.roles = roles_used(&row, &person);
    rows::give(tx, &approval)?;
    evaluate(tx, notes, &mut row, context)?;
    match given.verdict {
        ApprovalVerdict::Approved => wake(tx, row.promotion.id, notes.now())?,
        ApprovalVerdict::Rejected => settle(tx, notes, &mut row, PromotionCommand::Reject)?,
    }
    let shown = serde_json::to_value(&approval)
        .map_err(|cause| Error::internal_defect(format!("an approval is not JSON: {cause}")))?;
    notes.event("promotion", row.promotion.id, None, "promotion.decided", shown);
    Ok(row)
}

/// A decision that came too late says so.
fn decided_before(promotion: &Promotion, error: Error) -> Error {
    if promotion.status.is_open() {
        return error;
    }
    Error::new(
        ErrorCode::AlreadyDecided,
        format!("the promotion is {} already; nothing is left to decide", promotion.status),
    )
    .details(serde_json::json!({ "status": promotion.status }))
}

fn check(tx: &mut Tx<'_>, row: &PromotionRow, person: &ApproverFacts, environment: EnvironmentId) -> Result<()> {
    let facts = match &row.inputs {
        Some(inputs) => inputs.approval.clone(),
        None => ApprovalFacts::default(),
    };
    // Who gave something meanwhile counts as they are now.
    let given = rows::given(tx, row.promotion.id)?;
    let given = given.iter().map(|one| facts::approver(tx, one, environment)).collect::<Result<Vec<_>>>()?;
    let facts = ApprovalFacts { given, ..facts };
    let asks = if row.promotion.override_request.is_some() { Asks::Override } else { Asks::Policies };
    may_decide(&facts, person, &row.promotion.subject_hash, person.at, asks)
}

/// The roles of the approver that a rule names.
fn roles_used(row: &PromotionRow, person: &ApproverFacts) -> Vec<String> {
    let policies = row.inputs.iter().flat_map(|inputs| &inputs.approval.policies);
    let named: Vec<&String> = policies.flat_map(|one| &one.rules).flat_map(|rule| &rule.approvers.roles).collect();
    person.roles.iter().filter(|role| named.contains(role)).cloned().collect()
}

/// The answer of a changed promotion.
pub(super) fn changed(before: &PromotionRow, row: PromotionRow) -> Result<Change<Promotion>> {
    let old = serde_json::to_value(&before.promotion)
        .map_err(|cause| Error::internal_defect(format!("a promotion is not JSON: {cause}")))?;
    Change::done("promotion", row.promotion.id, &old, row.promotion)
}
