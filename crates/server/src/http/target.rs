//! Targets.

use http::HeaderName;
use plimsoll_core::{
    Error, Result,
    inventory::{HealthReport, StickerView, Target},
};
use plimsoll_protocol::{
    inventory::{CreateTarget, UpdateTarget},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::TargetCreate, create).takes::<CreateTarget>()?.answers::<Target>(),
        Route::new(Op::TargetList, list).pages::<Target>(),
        Route::new(Op::TargetGet, get).answers::<Target>(),
        Route::new(Op::TargetUpdate, update).takes::<UpdateTarget>()?.answers::<Target>(),
        Route::new(Op::TargetDelete, delete).asks("teardown", "boolean", "Not offered yet: true is refused."),
        Route::new(Op::TargetSticker, sticker).lists::<StickerView>(),
        Route::new(Op::TargetHealthCheck, health_check).answers::<HealthReport>(),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.target_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Target>("name")?;
    Answer::page(&call.server.app.target_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let target = call.server.app.target_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&target, target.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.target_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    if call.parsed("teardown", "true or false")?.unwrap_or(false) {
        let message =
            "stopping the containers of a target is not offered yet; leave teardown out and stop them on the host";
        return Err(Error::field("teardown", "not_offered", message));
    }
    let (reply, left) = call.server.app.target_delete(&call.caller, call.id("id")?).await?;
    let answer = Answer::reply(reply)?;
    if left.is_empty() {
        return Ok(answer);
    }
    // 204 has no body: what keeps running stands in a header.
    Ok(answer.with(HeaderName::from_static("plimsoll-left-running"), left.join(", ")))
}

async fn sticker(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.target_sticker(&call.caller, call.id("id")?).await?)
}

async fn health_check(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.target_health_check(&call.caller, call.id("id")?).await?)
}
