//! Approval policies.

use plimsoll_core::{Result, promotion::ApprovalPolicy};
use plimsoll_protocol::{
    operation::OperationId as Op,
    promotion::{CreateApprovalPolicy, UpdateApprovalPolicy},
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ApprovalPolicyCreate, create).takes::<CreateApprovalPolicy>()?.answers::<ApprovalPolicy>(),
        Route::new(Op::ApprovalPolicyList, list).pages::<ApprovalPolicy>(),
        Route::new(Op::ApprovalPolicyGet, get).answers::<ApprovalPolicy>(),
        Route::new(Op::ApprovalPolicyUpdate, update).takes::<UpdateApprovalPolicy>()?.answers::<ApprovalPolicy>(),
        Route::new(Op::ApprovalPolicyDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.approval_policy_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<ApprovalPolicy>("name")?;
    Answer::page(&call.server.app.approval_policy_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let policy = call.server.app.approval_policy_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&policy, policy.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.approval_policy_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.approval_policy_delete(&call.caller, call.id("id")?).await?)
}
