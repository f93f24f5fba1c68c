//! Reading promotions, their decisions, approvals and evidence.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    actor::Actor,
    environment::Environment,
    evidence_packet::EvidencePacket,
    id::{EnvironmentId, PromotionId, TypedId as _},
    permission::Permission,
    promotion::{
        Approval, ApprovalFacts, ApprovalVerdict, ApproverFacts, DecisionRecord, PendingApproval, Promotion,
        approval::{Asks, counts, may_decide, override_approvers, standing},
    },
};
use plimsoll_store::{
    Tx,
    evidence_packet::PacketRow,
    promotion::{self as rows, PromotionRow},
    release as releases,
    resource::{self, ListQuery, Listing, Resource},
};
use serde_json::json;

use super::{facts, preview::changes};
use crate::{App, Caller};

/// Promotions that are read at once where all are looked through.
const AT_ONCE: usize = 200;

impl App {
    /// A page of promotions into environments that the caller may see.
    pub async fn promotion_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Promotion>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&PromotionRow::TABLE, &json!({ "targetEnvironmentId": { "$in": ids } }))?,
        };
        let page = self.store.list::<PromotionRow>(caller.scope(), "promotion_list", query).await?;
        Ok(page.map(|row| row.promotion))
    }

    /// One promotion.
    pub async fn promotion_get(&self, caller: &Caller, id: PromotionId) -> Result<Promotion> {
        Ok(self.promotion_row(caller, id).await?.promotion)
    }

    async fn promotion_row(&self, caller: &Caller, id: PromotionId) -> Result<PromotionRow> {
        let row: PromotionRow =
            self.store.read(caller.scope(), "promotion_get", move |tx| resource::get(tx, id)).await?;
        caller.may_in(row.promotion.target_environment_id)?;
        Ok(row)
    }

    /// The last decision with all that it was made from.
    pub async fn promotion_decision(&self, caller: &Caller, id: PromotionId) -> Result<DecisionRecord> {
        let row = self.promotion_row(caller, id).await?;
        let (decision, inputs) = row
            .promotion
            .decision
            .zip(row.inputs)
            .ok_or_else(|| Error::new(ErrorCode::StateConflict, "the promotion was not decided yet; ask again"))?;
        DecisionRecord::new(decision, inputs, row.history)
    }

    /// Every yes and no, and whether it counts.
    pub async fn promotion_approvals(&self, caller: &Caller, id: PromotionId) -> Result<Vec<Approval>> {
        let row = self.promotion_row(caller, id).await?;
        let now = caller.now;
        self.store
            .read(caller.scope(), "promotion_approvals", move |tx| {
                let place = row.promotion.target_environment_id;
                let given = rows::given(tx, id)?;
                let facts = current(tx, &row, &given)?;
                let judged = given.into_iter().zip(&facts.given);
                Ok(judged.map(|(one, person)| judge(one, person, &facts, &row, now, place)).collect())
            })
            .await
    }

    /// The promotion's packets.
    pub async fn promotion_evidence(&self, caller: &Caller, id: PromotionId) -> Result<Vec<EvidencePacket>> {
        let row = self.promotion_row(caller, id).await?;
        self.store
            .read(caller.scope(), "promotion_evidence", move |tx| {
                let ids = row.promotion.evidence_packet_ids.iter();
                let found = ids.map(|id| resource::get::<PacketRow>(tx, *id)).collect::<Result<Vec<_>>>()?;
                Ok(found.into_iter().map(|row| row.packet).collect())
            })
            .await
    }

    /// What the caller may approve now, oldest first.
    pub async fn my_pending_approvals(&self, caller: &Caller) -> Result<Vec<PendingApproval>> {
        let owned = caller.clone();
        self.store
            .read(caller.scope(), "my_pending_approvals", move |tx| {
                let mut mine = Vec::new();
                let mut after = None;
                loop {
                    let some = rows::undecided(tx, after, AT_ONCE)?;
                    after = some.last().map(|row| (row.promotion.requested_at, row.promotion.id));
                    for row in &some {
                        mine.extend(pending(tx, &owned, row)?);
                    }
                    if some.len() < AT_ONCE {
                        return Ok(mine);
                    }
                }
            })
            .await
    }
}

/// Who must agree and who did, with everybody as they are now.
fn current(tx: &mut Tx<'_>, row: &PromotionRow, given: &[Approval]) -> Result<ApprovalFacts> {
    let place = row.promotion.target_environment_id;
    let given = given.iter().map(|one| facts::approver(tx, one, place)).collect::<Result<Vec<_>>>()?;
    let known = row.inputs.as_ref().map(|inputs| inputs.approval.clone()).unwrap_or_default();
    Ok(ApprovalFacts { given, ..known })
}

fn judge(
    mut approval: Approval,
    person: &ApproverFacts,
    facts: &ApprovalFacts,
    row: &PromotionRow,
    now: Timestamp,
    _place: EnvironmentId,
) -> Approval {
    let subject = &row.promotion.subject_hash;
    let verdicts: Vec<_> =
        facts.policies.iter().map(|policy| counts(person, policy, &facts.makers, subject, now)).collect();
    let overrides =
        row.promotion.override_request.is_some() && override_approvers(facts, subject).contains(&person.person());
    let void = verdicts.iter().find_map(|verdict| verdict.err());
    approval.valid = overrides || verdicts.is_empty() || verdicts.iter().any(std::result::Result::is_ok);
    approval.void_reason = void.filter(|_| !approval.valid).map(|void| void.reason().to_owned());
    approval
}

fn pending(tx: &mut Tx<'_>, caller: &Caller, row: &PromotionRow) -> Result<Option<PendingApproval>> {
    let one = &row.promotion;
    let place = one.target_environment_id;
    if !caller.principal.grants.in_environment(Permission::PromotionApprove, place) {
        return Ok(None);
    }
    let given = rows::given(tx, one.id)?;
    let facts = current(tx, row, &given)?;
    let would = Approval {
        id: plimsoll_core::id::ApprovalId::from_uuid(uuid::Uuid::nil()),
        promotion_id: one.id,
        verdict: ApprovalVerdict::Approved,
        by: Actor::from(&caller.principal),
        at: caller.now,
        roles: Vec::new(),
        comment: Some("-".to_owned()),
        subject_hash: one.subject_hash,
        valid: true,
        void_reason: None,
    };
    let person = facts::approver(tx, &would, place)?;
    let asks = if one.override_request.is_some() { Asks::Override } else { Asks::Policies };
    if may_decide(&facts, &person, &one.subject_hash, caller.now, asks).is_err() {
        return Ok(None);
    }
    let environment_name = resource::find_any::<Environment>(tx, place)?.map(|one| one.name).unwrap_or_default();
    let rules = facts.policies.iter().flat_map(|policy| standing(policy, &facts, &one.subject_hash, caller.now).rules);
    let (sealed, _) = releases::seal(tx, one.release_id)?;
    Ok(Some(PendingApproval {
        promotion_id: one.id,
        release_id: one.release_id,
        application: one.application.clone(),
        release_version: one.release_version.clone(),
        target_environment_id: place,
        environment_name,
        reason: one.reason.clone(),
        requested_by: one.requested_by.clone(),
        requested_at: one.requested_at,
        age_seconds: caller.now.micros_since(one.requested_at) / 1_000_000,
        subject_hash: one.subject_hash,
        changes: changes(tx, &sealed, place)?,
        gates: one.decision.as_ref().map(|decision| decision.gates.clone()).unwrap_or_default(),
        rules: rules.collect(),
    }))
}
