//! Components.

use plimsoll_core::{Result, component::Component};
use plimsoll_protocol::{
    component::{CreateComponent, UpdateComponent},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ComponentCreate, create).takes::<CreateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentList, list).pages::<Component>(),
        Route::new(Op::ComponentGet, get).answers::<Component>(),
        Route::new(Op::ComponentUpdate, update).takes::<UpdateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.component_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Component>("name")?;
    Answer::page(&call.server.app.component_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let component = call.server.app.component_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&component, component.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.component_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.component_delete(&call.caller, call.id("id")?).await?)
}
