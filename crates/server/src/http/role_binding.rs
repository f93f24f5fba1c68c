//! Role bindings.

use plimsoll_core::{Result, identity::RoleBinding};
use plimsoll_protocol::{identity::CreateRoleBinding, operation::OperationId as Op};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::RoleBindingCreate, create).takes::<CreateRoleBinding>()?.answers::<RoleBinding>(),
        Route::new(Op::RoleBindingList, list).pages::<RoleBinding>(),
        Route::new(Op::RoleBindingGet, get).answers::<RoleBinding>(),
        Route::new(Op::RoleBindingDelete, delete).asks(
            "reason",
            "string",
            "Why; needed where the binding decides about approvals.",
        ),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.role_binding_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<RoleBinding>("createdAt")?;
    Answer::page(&call.server.app.role_binding_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let binding = call.server.app.role_binding_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&binding, binding.revision)
}

async fn delete(call: Call) -> Result<Answer> {
    let reason = call.parameter("reason").map(str::to_owned);
    Answer::reply(call.server.app.role_binding_delete(&call.caller, call.id("id")?, reason).await?)
}
