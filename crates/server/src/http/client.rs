//! Clients.

use plimsoll_core::{Result, identity::Client};
use plimsoll_protocol::{
    identity::{CreateClient, CreatedClient, UpdateClient},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ClientCreate, create).takes::<CreateClient>()?.answers::<CreatedClient>(),
        Route::new(Op::ClientList, list).pages::<Client>(),
        Route::new(Op::ClientGet, get).answers::<Client>(),
        Route::new(Op::ClientUpdate, update).takes::<UpdateClient>()?.answers::<CreatedClient>(),
        Route::new(Op::ClientDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.client_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Client>("name")?;
    Answer::page(&call.server.app.client_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let client = call.server.app.client_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&client, client.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.client_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.client_delete(&call.caller, call.id("id")?).await?)
}
