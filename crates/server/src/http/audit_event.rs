//! The audit trail, read.

use plimsoll_core::{Result, audit::AuditEvent};
use plimsoll_protocol::operation::OperationId as Op;

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(Op::AuditEventList, list).pages::<AuditEvent>(),
        Route::new(Op::AuditEventGet, get).answers::<AuditEvent>(),
    ]
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<AuditEvent>("-at")?;
    Answer::page(&call.server.app.audit_event_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.audit_event_get(&call.caller, call.id("id")?).await?)
}
