//! The sealed decision of a promotion: exactly one, when it leaves the door for good.

use std::collections::BTreeMap;

use plimsoll_core::{
    Digest, Error, Result,
    evidence_packet::EvidenceType,
    id::EvidencePacketId,
    promotion::{Approval, DecisionRecord},
};
use plimsoll_evidence::PredicateType;
use plimsoll_store::{Tx, promotion as rows, promotion::PromotionRow, release as releases};
use serde_json::json;

use crate::{
    Notes,
    evidence::{Draft, seal},
};

/// Seals what was decided, from what, and who agreed; the packet's id goes to the promotion.
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
    let record = DecisionRecord::new(decision.clone(), inputs, row.history.clone())?;
    let says = json!({
        "promotionId": one.id, "status": one.status, "application": one.application,
        "releaseId": one.release_id, "releaseVersion": one.release_version, "releaseDigest": release_digest,
        "environmentId": one.target_environment_id, "requestedBy": one.requested_by, "requestedAt": one.requested_at,
        "reason": one.reason, "scheduledFor": one.scheduled_for, "strategy": one.strategy,
        "override": one.override_request, "plan": one.plan, "subjectHash": one.subject_hash,
        "supersededBy": one.superseded_by, "deploymentJobId": one.deployment_job_id,
        "inputs": record.inputs, "inputsHash": record.inputs_hash, "decision": decision,
        "history": record.history, "approvals": approvals, "failIfBlocked": asked == Asked::FailIfBlocked,
    });
    let draft =
        Draft { kind: EvidenceType::PromotionDecision, predicate: PredicateType::PromotionDecision, subjects, says };
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
