//! How a task ended: recorded once, at its epoch, and the job goes on.

use plimsoll_core::{
    Result,
    deployment::{Task, TaskCommand, TaskStatus},
    id::AgentId,
};
use plimsoll_protocol::agent::{
    ServerFrame,
    report::{ComponentResult, ResultAck, ResultVerdict, TaskOutcome, TaskResult},
};
use plimsoll_store::{
    Lock, Tx,
    deployment::{TaskRow, fence, order, running, spec},
    resource,
};

use super::{AgentCaller, report::held};
use crate::{App, Notes, deployment, sticker};

impl App {
    /// Records a result and acks it. A stale one is acked too: the agent need not send it again.
    pub(super) async fn task_ended(&self, agent: &AgentCaller, result: TaskResult) -> Result<Vec<ServerFrame>> {
        crate::failpoint::hit("server::result_received");
        let (id, task_id, epoch) = (agent.id, result.task_id, result.epoch);
        let verdict = self
            .act(&agent.principal, "task_result", move |tx, notes| {
                let Some(found) = resource::find::<TaskRow>(tx, result.task_id)? else {
                    return Ok(ResultVerdict::Stale);
                };
                tx.lock(&Lock::Job(found.task.job_id))?;
                let found = resource::find::<TaskRow>(tx, result.task_id)?;
                if let Some(row) = &found
                    && row.task.agent_id == Some(id)
                    && row.task.epoch == result.epoch
                    && row.task.status.is_ended()
                {
                    // A resend of what is recorded already.
                    return Ok(ResultVerdict::Recorded);
                }
                let target = found.as_ref().filter(|row| was_given_up(row, id)).map(|row| row.task.target_id);
                let Some(row) = held(found, id, result.epoch) else {
                    if let Some(target) = target {
                        // It ended after all. How is not ours to take on trust: the target is looked at anew.
                        deployment::lost::await_observation(tx, target, notes.now())?;
                    }
                    return Ok(ResultVerdict::Stale);
                };
                record(tx, notes, row, &result)?;
                Ok(ResultVerdict::Recorded)
            })
            .await?;
        crate::failpoint::hit("server::result_recorded");
        Ok(vec![ServerFrame::ResultAck(ResultAck { task_id, epoch, verdict })])
    }
}

/// Whether the task was written off while this agent had it.
fn was_given_up(row: &TaskRow, agent: AgentId) -> bool {
    row.task.agent_id == Some(agent) && row.task.status == TaskStatus::Unknown
}

fn record(tx: &mut Tx<'_>, notes: &mut Notes, mut row: TaskRow, result: &TaskResult) -> Result<()> {
    let command = match result.outcome {
        TaskOutcome::Succeeded => TaskCommand::Succeed,
        TaskOutcome::Failed | TaskOutcome::RolledBack => TaskCommand::Fail,
        TaskOutcome::Cancelled => TaskCommand::Cancel,
        TaskOutcome::Unknown => TaskCommand::Lose,
    };
    row.task.status = row.task.status.after(command)?;
    row.task.remains = result.remains;
    row.task.error = result.error.as_ref().map(deployment::task_error);
    row.task.finished_at = Some(notes.now());
    if row.task.started_at.is_none() {
        row.task.started_at = Some(result.started_at);
    }
    for seen in &result.components {
        merge(&mut row.task, seen);
    }
    resource::update(tx, &mut row)?;
    order::answered(tx, row.task.id)?;
    if let Some(highest) = result.epoch_in_force {
        fence::lift(tx, row.task.target_id, highest)?;
    }
    if result.outcome == TaskOutcome::Unknown {
        deployment::lost::await_observation(tx, row.task.target_id, notes.now())?;
    }
    deployment::artifact::keep_result(tx, notes, &row.task, result)?;
    note_running(tx, notes, &row.task, result)?;
    deployment::note_task(notes, &row.task)?;
    deployment::wake_waiting(tx, row.task.target_id, notes.now())?;
    deployment::wake_job(tx, row.task.job_id, notes.now())
}

fn merge(task: &mut Task, seen: &ComponentResult) {
    if let Some(known) = task.components.iter_mut().find(|one| one.name == seen.component) {
        known.running_digest = seen.running_digest;
        known.endpoints.clone_from(&seen.endpoints);
        known.downtime_ms = seen.downtime_ms;
        if known.from_digest.is_none() {
            known.from_digest = seen.from_digest;
        }
    }
}

/// After a success the target runs the task's set and holds its sticker; after anything else what ran
/// before, or what observation will tell.
fn note_running(tx: &mut Tx<'_>, notes: &mut Notes, task: &Task, result: &TaskResult) -> Result<()> {
    if result.outcome != TaskOutcome::Succeeded {
        // What was put back may answer on other ports than before.
        return if result.components.is_empty() { Ok(()) } else { deployment::note_endpoints(tx, task) };
    }
    let Some(kept) = spec::find(tx, task.job_id, task.target_id)? else { return Ok(()) };
    let brought = deployment::brought_by(task, &kept);
    let Some(known) = kept.spec.as_ref().or(kept.previous.as_ref()) else { return Ok(()) };
    // By the agent's clock, which may be ahead.
    let written_at = result.sticker_placed.then(|| result.finished_at.min(notes.now()));
    sticker::place::after_success(tx, notes, task, &known.application, brought, written_at)?;
    match brought {
        Some(spec) => {
            running::put(tx, spec, task.job_id, notes.now())?;
            deployment::note_endpoints(tx, task)
        }
        None => running::remove(tx, task.target_id, &known.application),
    }
}
