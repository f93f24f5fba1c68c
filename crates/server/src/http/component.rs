//! Components.

use plimsoll_core::{Result, component::Component};

use super::{answer::Answer, call::Call};

pub(crate) async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.component_create(&call.caller, body).await?)
}

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Component>("name")?;
    Answer::page(&call.server.app.component_list(&call.caller, query).await?)
}

pub(crate) async fn get(call: Call) -> Result<Answer> {
    let component = call.server.app.component_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&component, component.revision)
}

pub(crate) async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.component_update(&call.caller, id, replace).await?)
}

pub(crate) async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.component_delete(&call.caller, call.id("id")?).await?)
}
