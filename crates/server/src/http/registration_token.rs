//! Registration tokens.

use plimsoll_core::{Result, identity::RegistrationToken};
use plimsoll_protocol::{
    identity::{CreateRegistrationToken, CreatedRegistrationToken},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::RegistrationTokenCreate, create)
            .takes::<CreateRegistrationToken>()?
            .answers::<CreatedRegistrationToken>(),
        Route::new(Op::RegistrationTokenList, list).pages::<RegistrationToken>(),
        Route::new(Op::RegistrationTokenGet, get).answers::<RegistrationToken>(),
        Route::new(Op::RegistrationTokenDelete, delete),
    ])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.registration_token_create(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<RegistrationToken>("-createdAt")?;
    Answer::page(&call.server.app.registration_token_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.registration_token_get(&call.caller, call.id("id")?).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.registration_token_delete(&call.caller, call.id("id")?).await?)
}
