//! Integrations and their types.

use plimsoll_core::{
    Result,
    integration::{DiscoverResult, Integration, IntegrationType, TestReport},
};
use plimsoll_protocol::{
    integration::{CreateIntegration, DiscoverRequest, UpdateIntegration},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::IntegrationTypeList, types).lists::<IntegrationType>(),
        Route::new(Op::IntegrationTypeGet, one_type).answers::<IntegrationType>(),
        Route::new(Op::IntegrationCreate, create).takes::<CreateIntegration>()?.answers::<Integration>(),
        Route::new(Op::IntegrationList, list).pages::<Integration>(),
        Route::new(Op::IntegrationGet, get).answers::<Integration>(),
        Route::new(Op::IntegrationUpdate, update).takes::<UpdateIntegration>()?.answers::<Integration>(),
        Route::new(Op::IntegrationDelete, delete),
        Route::new(Op::IntegrationTest, test).answers::<TestReport>(),
        Route::new(Op::IntegrationDiscover, discover).takes::<DiscoverRequest>()?.answers::<DiscoverResult>(),
    ])
}

async fn types(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.integration_type_list())
}

async fn one_type(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.integration_type_get(call.segment("typeId")?)?)
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.integration_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Integration>("name")?;
    Answer::page(&call.server.app.integration_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let integration = call.server.app.integration_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&integration, integration.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.integration_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.integration_delete(&call.caller, call.id("id")?).await?)
}

async fn test(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.integration_test(&call.caller, call.id("id")?).await?)
}

async fn discover(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body()?);
    Answer::reply(call.server.app.integration_discover(&call.caller, id, body).await?)
}
