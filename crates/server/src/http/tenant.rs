//! Tenants.

use plimsoll_core::{Result, identity::Tenant};
use plimsoll_protocol::{
    identity::{CreateTenant, CreatedTenant},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::TenantCreate, create).takes::<CreateTenant>()?.answers::<CreatedTenant>(),
        Route::new(Op::TenantList, list).pages::<Tenant>(),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.tenant_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Tenant>("name")?;
    Answer::page(&call.server.app.tenant_list(&call.caller, query).await?)
}
