//! Users.

use plimsoll_core::{Result, identity::User};
use plimsoll_protocol::{
    identity::{CreateUser, CreatedUser, UpdateUser},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::UserCreate, create).takes::<CreateUser>()?.answers::<CreatedUser>(),
        Route::new(Op::UserList, list).pages::<User>(),
        Route::new(Op::UserGet, get).answers::<User>(),
        Route::new(Op::UserUpdate, update).takes::<UpdateUser>()?.answers::<User>(),
        Route::new(Op::UserDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.user_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<User>("name")?;
    Answer::page(&call.server.app.user_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let user = call.server.app.user_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&user, user.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.user_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.user_delete(&call.caller, call.id("id")?).await?)
}
