//! Freeze windows.

use plimsoll_core::{Result, environment::FreezeWindow};
use plimsoll_protocol::{freeze_window::CreateFreezeWindow, operation::OperationId as Op};
use plimsoll_store::freeze_window::LISTED;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::FreezeWindowCreate, create).takes::<CreateFreezeWindow>()?.answers::<FreezeWindow>(),
        Route::new(Op::FreezeWindowList, list).pages::<FreezeWindow>().filter_note(
            " Past, active and coming windows are told apart by `{\"when\":\"coming\"}` (or `past`, `active`) and `{\"active\":true}`, as computed at the moment of the call.",
        ),
        Route::new(Op::FreezeWindowDelete, delete).asks(
            "reason",
            "string",
            "Why; needed for a window that is active or begins within a day.",
        ),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let (environment, body) = (call.id("envId")?, call.body()?);
    Answer::reply(call.server.app.freeze_window_create(&call.caller, environment, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let (environment, query) = (call.id("envId")?, call.list_by(&LISTED, "startsAt")?);
    Answer::page(&call.server.app.freeze_window_list(&call.caller, environment, query).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    let (environment, id) = (call.id("envId")?, call.id("windowId")?);
    let reason = call.parameter("reason").map(str::to_owned);
    Answer::reply(call.server.app.freeze_window_delete(&call.caller, environment, id, reason).await?)
}
