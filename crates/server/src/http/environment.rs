//! Environments.

use plimsoll_core::{Result, environment::Environment};
use plimsoll_protocol::{
    environment::{CreateEnvironment, UpdateEnvironment},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::EnvironmentCreate, create).takes::<CreateEnvironment>()?.answers::<Environment>(),
        Route::new(Op::EnvironmentList, list).pages::<Environment>(),
        Route::new(Op::EnvironmentGet, get).answers::<Environment>(),
        Route::new(Op::EnvironmentUpdate, update).takes::<UpdateEnvironment>()?.answers::<Environment>(),
        Route::new(Op::EnvironmentDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.environment_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Environment>("orderIndex")?;
    Answer::page(&call.server.app.environment_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let environment = call.server.app.environment_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&environment, environment.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.environment_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.environment_delete(&call.caller, call.id("id")?).await?)
}
