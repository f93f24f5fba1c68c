//! The sealed decision of a promotion: exactly one, when it leaves the door for good.

use std::collections::BTreeMap;

use plimsoll_core::{
    Digest, Error, Result,
    evidence_packet::{
        EvidenceType,
        predicate::{DecisionPredicate, PastDecision},
    },
    id::EvidencePacketId,
    promotion::{Approval, GateVerdict},
};
use plimsoll_evidence::PredicateType;
use plimsoll_store::{Tx, promotion as rows, promotion::PromotionRow, release as releases};

use crate::{
    Notes,
    evidence::{Draft, seal},
};

/// Seals what was decided, from what, and who agreed; the packet's id goes to the promotion. It is the one packet
/// of the decision: of type `override` where gates were overridden.
pub(super) fn seal_decision(tx: &mut Tx<'_>, notes: &mut Notes, row: &mut PromotionRow) -> Result<()> {
    let id = seal_row(tx, notes, row, Asked::ToBeKept)?;
    row.promotion.evidence_packet_ids.push(id);
    Ok(())
}

/// Seals the decision about what was asked for with `failIfBlocked` and is not kept.
pub(super) fn seal_refusal(tx: &mut Tx<'_>, notes: &mut Notes, row: &PromotionRow) -> Result<EvidencePacketId> {
    seal_row(tx, notes, row, Asked::FailIfBlocked)
}

/// How a promotion was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    ToBeKept,
    FailIfBlocked,
}

fn seal_row(tx: &mut Tx<'_>, notes: &mut Notes, row: &PromotionRow, asked: Asked) -> Result<EvidencePacketId> {
    let (sealed, release_digest) = releases::seal(tx, row.promotion.release_id)?;
    let subjects: BTreeMap<String, Digest> =
        sealed.components.iter().map(|one| (one.component.clone(), one.digest)).collect();
    let approvals: Vec<Approval> = rows::given(tx, row.promotion.id)?;
    let one = &row.promotion;
    let decided = one.decision.clone().zip(row.inputs.clone());
    let (decision, inputs) =
        decided.ok_or_else(|| Error::internal_defect("a promotion is sealed before it was ever decided"))?;
    let overridden = decision.gates.iter().any(|gate| gate.verdict == GateVerdict::Overridden);
    let kind = if overridden { EvidenceType::Override } else { EvidenceType::PromotionDecision };
    let says = DecisionPredicate {
        promotion_id: one.id,
        status: one.status,
        application: one.application.clone(),
        release_id: one.release_id,
        release_version: one.release_version.clone(),
        release_digest,
        environment_id: one.target_environment_id,
        requested_by: one.requested_by.clone(),
        requested_at: one.requested_at,
        reason: one.reason.clone(),
        scheduled_for: one.scheduled_for,
        strategy: one.strategy.clone(),
        override_request: one.override_request.clone(),
        plan: one.plan.clone(),
        subject_hash: one.subject_hash,
        superseded_by: one.superseded_by,
        deployment_job_id: one.deployment_job_id,
        inputs_hash: inputs.hash()?,
        inputs,
        decision,
        history: row.history.iter().map(PastDecision::from).collect(),
        approvals,
        fail_if_blocked: asked == Asked::FailIfBlocked,
    };
    let draft = Draft::new(notes, (kind, PredicateType::PromotionDecision), subjects, &says)?;
    let (promotion, release, environment, job) =
        (one.id, one.release_id, one.target_environment_id, one.deployment_job_id);
    seal(tx, notes, draft, |packet| {
        packet.promotion_id = (asked == Asked::ToBeKept).then_some(promotion);
        packet.release_id = Some(release);
        packet.release_digest = Some(release_digest);
        packet.environment_id = Some(environment);
        packet.deployment_job_id = job;
    })
}
