//! Releases.

use plimsoll_core::{
    Result,
    release::{Release, ReleaseState, compare::ReleaseComparison},
};
use plimsoll_protocol::{
    operation::OperationId as Op,
    release::{CreateRelease, DeprecateRequest, FromLatestAnswer, FromLatestRequest, UpdateRelease},
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ReleaseCreate, create).takes::<CreateRelease>()?.answers::<Release>(),
        Route::new(Op::ReleaseList, list).pages::<Release>(),
        Route::new(Op::ReleaseGet, get).answers::<Release>(),
        Route::new(Op::ReleaseUpdate, update).takes::<UpdateRelease>()?.answers::<Release>(),
        Route::new(Op::ReleaseDelete, delete),
        Route::new(Op::ReleaseState, state).answers::<ReleaseState>(),
        Route::new(Op::ReleaseDeprecate, deprecate).takes::<DeprecateRequest>()?.answers::<Release>(),
        Route::new(Op::ReleaseCompare, compare).answers::<ReleaseComparison>(),
        Route::new(Op::ReleaseFromLatest, from_latest).takes::<FromLatestRequest>()?.answers::<FromLatestAnswer>(),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.release_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Release>("-createdAt")?;
    Answer::page(&call.server.app.release_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let release = call.server.app.stored::<Release>(&call.caller, call.id("id")?).await?;
    Answer::resource(&release, release.revision())
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.release_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.release_delete(&call.caller, call.id("id")?).await?)
}

async fn state(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.release_state(&call.caller, call.id("id")?).await?)
}

async fn deprecate(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body()?);
    Answer::reply(call.server.app.release_deprecate(&call.caller, id, body).await?)
}

async fn compare(call: Call) -> Result<Answer> {
    let (from, to) = (call.id("id")?, call.id("otherId")?);
    Answer::ok(&call.server.app.release_compare(&call.caller, from, to).await?)
}

async fn from_latest(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.release_from_latest(&call.caller, body).await?)
}
