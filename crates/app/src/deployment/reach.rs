//! Whether a task's target can be reached now.

use plimsoll_core::{
    Result,
    deployment::rollout::{Reach, Stop, TaskView},
    inventory::{AgentStatus, Target},
};
use plimsoll_store::{
    Tx,
    deployment::{TaskRow, order},
    resource,
};

use crate::agent::Agents;

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
    Ok(match agents.of(tx, &target)? {
        Some(agent) if agent.enabled => match agent.status {
            AgentStatus::Online | AgentStatus::Degraded => Reach::Online,
            AgentStatus::Offline | AgentStatus::Disabled => {
                Reach::Offline { since: agent.last_heartbeat_at.unwrap_or(agent.created_at) }
            }
        },
        Some(agent) => Reach::Offline { since: agent.updated_at },
        None => Reach::Offline { since: target.updated_at },
    })
}
