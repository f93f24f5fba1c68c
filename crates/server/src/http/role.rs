//! Roles.

use plimsoll_core::{Result, identity::Role};
use plimsoll_protocol::{
    identity::{CreateRole, UpdateRole},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::RoleCreate, create).takes::<CreateRole>()?.answers::<Role>(),
        Route::new(Op::RoleList, list).pages::<Role>(),
        Route::new(Op::RoleGet, get).answers::<Role>(),
        Route::new(Op::RoleUpdate, update).takes::<UpdateRole>()?.answers::<Role>(),
        Route::new(Op::RoleDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.role_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Role>("name")?;
    Answer::page(&call.server.app.role_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let role = call.server.app.role_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&role, role.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.role_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.role_delete(&call.caller, call.id("id")?).await?)
}
