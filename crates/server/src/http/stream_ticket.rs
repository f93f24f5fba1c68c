//! Tickets with which browsers open streams. Asked for first, they answer 401, 403 or 404: a browser sees
//! no status of a refused upgrade.

use plimsoll_app::Caller;
use plimsoll_core::{Error, Result, id::JobId, permission::denied};
use plimsoll_protocol::{
    identity::{CreateStreamTicket, StreamTicket},
    operation::{self, Method, Operation, OperationId as Op},
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![Route::new(Op::StreamTicketCreate, create).takes::<CreateStreamTicket>()?.answers::<StreamTicket>()])
}

async fn create(mut call: Call) -> Result<Answer> {
    let body: CreateStreamTicket = call.body()?;
    let (stream, id) = stream_at(&body.stream).ok_or_else(unknown)?;
    check(&call, stream, id).await?;
    let ticket = call.server.app.stream_ticket_create(&call.token, &body.stream, stream.permission)?;
    Answer::ok(&ticket)
}

/// The stream at this path, and the id in it.
fn stream_at(path: &str) -> Option<(&'static Operation, &str)> {
    operation::built().filter(|one| one.method == Method::WebSocket).find_map(|one| {
        let full = one.full_path();
        let (before, after) = full.split_once("{id}")?;
        let id = path.strip_prefix(before)?.strip_suffix(after)?;
        (!id.contains('/')).then_some((one, id))
    })
}

/// What the stream itself checks before it upgrades.
async fn check(call: &Call, stream: &Operation, id: &str) -> Result<()> {
    let caller = Caller { operation: stream.id, ..call.caller.clone() };
    if !caller.principal.grants.somewhere(stream.permission) {
        return Err(denied(stream.permission, None));
    }
    if stream.id != Op::DeploymentJobStream {
        // Agents send their token as they should.
        return Err(unknown());
    }
    let id: JobId = id.parse().map_err(|_| unknown())?;
    call.server.app.deployment_job_get(&caller, id).await.map(drop)
}

fn unknown() -> Error {
    Error::field(
        "stream",
        "unknown",
        "is no path of a stream that browsers open, such as /api/v1/deployment-jobs/<id>/stream",
    )
}
