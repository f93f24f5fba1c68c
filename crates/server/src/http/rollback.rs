//! Rollbacks.

use plimsoll_core::{
    Result,
    deployment::{DeploymentJob, Rollback},
};
use plimsoll_protocol::{deployment::CreateRollback, operation::OperationId as Op};
use plimsoll_store::rollback::RollbackRow;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::RollbackCreate, create).takes::<CreateRollback>()?.answers::<DeploymentJob>(),
        Route::new(Op::RollbackList, list).pages::<Rollback>(),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.rollback_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<RollbackRow>("-createdAt")?;
    Answer::page(&call.server.app.rollback_list(&call.caller, query).await?)
}
