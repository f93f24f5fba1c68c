//! Components.

use plimsoll_core::{
    Result,
    component::{Component, ComponentVersion, SyncResult},
};
use plimsoll_protocol::{
    component::{CreateComponent, UpdateComponent},
    operation::OperationId as Op,
};
use plimsoll_store::component_version::StoredVersion;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ComponentCreate, create).takes::<CreateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentList, list).pages::<Component>(),
        Route::new(Op::ComponentGet, get).answers::<Component>(),
        Route::new(Op::ComponentUpdate, update).takes::<UpdateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentDelete, delete),
        Route::new(Op::ComponentSyncVersions, sync_versions).answers::<SyncResult>(),
        Route::new(Op::ComponentVersions, versions).pages::<ComponentVersion>(),
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
    let component = call.server.app.stored::<Component>(&call.caller, call.id("id")?).await?;
    Answer::resource(&component, component.revision())
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.component_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.component_delete(&call.caller, call.id("id")?).await?)
}

async fn sync_versions(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.component_sync_versions(&call.caller, call.id("id")?).await?)
}

async fn versions(call: Call) -> Result<Answer> {
    let query = call.list::<StoredVersion>("-version")?;
    Answer::page(&call.server.app.component_versions(&call.caller, call.id("id")?, query).await?)
}
