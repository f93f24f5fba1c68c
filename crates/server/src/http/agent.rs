//! Agents, as people see them and as they enrol and report.

use plimsoll_core::{Result, inventory::Agent};
use plimsoll_protocol::{
    agent::enrol::{HeartbeatAnswer, HeartbeatRequest, RegisterRequest, Registered},
    inventory::{UnlockAgent, UpdateAgent},
    operation::OperationId as Op,
};

use super::{answer::Answer, call::Call, route::Route};

pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::AgentRegister, register).takes::<RegisterRequest>()?.answers::<Registered>(),
        Route::new(Op::AgentList, list).pages::<Agent>(),
        Route::new(Op::AgentGet, get).answers::<Agent>(),
        Route::new(Op::AgentUpdate, update).takes::<UpdateAgent>()?.answers::<Agent>(),
        Route::new(Op::AgentDelete, delete),
        Route::new(Op::AgentUnlock, unlock).takes::<UnlockAgent>()?.answers::<Agent>(),
        Route::new(Op::AgentHeartbeat, heartbeat).takes::<HeartbeatRequest>()?.answers::<HeartbeatAnswer>(),
    ])
}

async fn register(mut call: Call) -> Result<Answer> {
    let body = call.body()?;
    Answer::reply(call.server.app.agent_register(&call.caller, body).await?)
}

async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<Agent>("name")?;
    Answer::page(&call.server.app.agent_list(&call.caller, query).await?)
}

async fn get(call: Call) -> Result<Answer> {
    let agent = call.server.app.agent_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&agent, agent.revision)
}

async fn update(mut call: Call) -> Result<Answer> {
    let (id, replace) = (call.id("id")?, call.replace()?);
    Answer::reply(call.server.app.agent_update(&call.caller, id, replace).await?)
}

async fn delete(call: Call) -> Result<Answer> {
    Answer::reply(call.server.app.agent_delete(&call.caller, call.id("id")?).await?)
}

async fn unlock(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body()?);
    Answer::reply(call.server.app.agent_unlock(&call.caller, id, body).await?)
}

async fn heartbeat(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body()?);
    Answer::ok(&call.server.app.agent_heartbeat(&call.caller, id, body).await?)
}
