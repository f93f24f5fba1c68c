//! Whether a task's target can be reached now.

use plimsoll_core::{
    Result,
    deployment::rollout::{Reach, Stop, TaskView},
    id::TargetId,
    inventory::Target,
};
use plimsoll_store::{
    Tx,
    deployment::{TaskRow, order},
    resource,
};

use crate::agent::{Agents, Fitness, fitness};

/// How a task stands, as the rollout looks at it.
pub(super) fn view_of(tx: &mut Tx<'_>, agents: &mut Agents, row: &TaskRow) -> Result<TaskView> {
    let task = &row.task;
    Ok(TaskView {
        id: task.id,
        kind: task.kind,
        undoes: task.undoes,
        batch: task.batch,
        status: task.status,
        attempt: task.attempt,
        remains: task.remains,
        reach: reach(tx, agents, row)?,
        stop: if order::is_cancelled(tx, task.id)? { Stop::Asked } else { Stop::NotAsked },
        created_at: row.created_at,
        finished_at: task.finished_at,
    })
}

fn reach(tx: &mut Tx<'_>, agents: &mut Agents, row: &TaskRow) -> Result<Reach> {
    let Some(target) = resource::find::<Target>(tx, row.task.target_id)? else { return Ok(Reach::Gone) };
    if target.maintenance {
        return Ok(Reach::Maintenance);
    }
    let Some(agent) = agents.of(tx, &target)? else { return Ok(Reach::Offline { since: target.updated_at }) };
    Ok(match fitness(tx, &agent)? {
        Fitness::Fit => Reach::Online,
        Fitness::Away if agent.enabled => Reach::Offline { since: agent.last_heartbeat_at.unwrap_or(agent.created_at) },
        Fitness::Away | Fitness::Foreign(_) => Reach::Offline { since: agent.updated_at },
    })
}

/// Why a target that is offline is so, and what to do, for its task.
pub(super) fn why_offline(tx: &mut Tx<'_>, agents: &mut Agents, id: TargetId) -> Result<(String, &'static str)> {
    let agent = match resource::find::<Target>(tx, id)? {
        Some(target) => agents.of(tx, &target)?,
        None => None,
    };
    let fitness = agent.map(|agent| fitness(tx, &agent)).transpose()?;
    Ok(match fitness {
        Some(Fitness::Foreign(reason)) => (reason, "install an agent of the server's version on the target's host"),
        Some(Fitness::Fit | Fitness::Away) | None => (
            "the target's agent is not connected".to_owned(),
            "start its agent, or let the strategy skip or wait for offline targets",
        ),
    })
}
