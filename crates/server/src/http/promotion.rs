//! Promotions.

use plimsoll_core::{
    Result,
    evidence_packet::EvidencePacket,
    promotion::{Approval, DecisionRecord, GatePreview, PendingApproval, Promotion},
};
use plimsoll_protocol::{
    operation::OperationId as Op,
    promotion::{ApproveRequest, CancelPromotion, CreatePromotion, PreviewGates, RejectRequest, ResumePromotion},
};
use plimsoll_store::promotion::PromotionRow;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::PromotionCreate, create).takes::<CreatePromotion>()?.answers::<Promotion>(),
        Route::new(Op::PromotionList, list).pages::<Promotion>(),
        Route::new(Op::PromotionGet, get).answers::<Promotion>(),
        Route::new(Op::PromotionApprove, approve).takes::<ApproveRequest>()?.answers::<Promotion>(),
        Route::new(Op::PromotionReject, reject).takes::<RejectRequest>()?.optional_body().answers::<Promotion>(),
        Route::new(Op::PromotionCancel, cancel).takes::<CancelPromotion>()?.optional_body().answers::<Promotion>(),
        Route::new(Op::PromotionResume, resume).takes::<ResumePromotion>()?.optional_body().answers::<Promotion>(),
        Route::new(Op::PromotionDecision, decision).answers::<DecisionRecord>(),
        Route::new(Op::PromotionApprovals, approvals).lists::<Approval>(),
        Route::new(Op::PromotionEvidence, evidence).lists::<EvidencePacket>(),
        Route::new(Op::PromotionPreviewGates, preview).takes::<PreviewGates>()?.answers::<GatePreview>(),
        Route::new(Op::MyPendingApprovals, pending).lists::<PendingApproval>(),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.promotion_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<PromotionRow>("-createdAt")?;
    Answer::page(&call.server.app.promotion_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let promotion = call.server.app.promotion_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&promotion, promotion.revision)
}

async fn approve(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body()?);
    Answer::reply(call.server.app.promotion_approve(&call.caller, id, body).await?)
}

async fn reject(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body_or_default()?);
    Answer::reply(call.server.app.promotion_reject(&call.caller, id, body).await?)
}

async fn cancel(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body_or_default()?);
    Answer::reply(call.server.app.promotion_cancel(&call.caller, id, body).await?)
}

async fn resume(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body_or_default()?);
    Answer::reply(call.server.app.promotion_resume(&call.caller, id, body).await?)
}

async fn decision(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.promotion_decision(&call.caller, call.id("id")?).await?)
}

async fn approvals(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.promotion_approvals(&call.caller, call.id("id")?).await?)
}

async fn evidence(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.promotion_evidence(&call.caller, call.id("id")?).await?)
}

async fn preview(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::ok(&call.server.app.promotion_preview_gates(&call.caller, body).await?)
}

async fn pending(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.my_pending_approvals(&call.caller).await?)
}
