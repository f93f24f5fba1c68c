//! Tasks that nobody answers for, and the targets that must be seen before it is known what runs there.

use std::sync::Arc;

use plimsoll_core::{
    Result, Timestamp,
    deployment::TaskCommand,
    id::{TargetId, TaskId},
    inventory::{AgentStatus, Target},
};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx,
    deployment::{TaskRow, fence, order},
    observation::{self, Question},
    resource, target as targets,
};
use uuid::Uuid;

use super::{advance::system, effects::plain_error, note_task, wake_job, wake_waiting};
use crate::{App, Notes, agent::Agents, tasks::Progress as Step};

/// Seconds that an agent has to say what it sees.
const LOOK_SECONDS: i64 = 10;

/// One step of the sweeper: tasks whose agent is silent past its deadline.
pub async fn sweep(app: Arc<App>) -> Result<Step> {
    let now = app.context.now();
    let overdue =
        app.store.read(Scope::System(SystemReason::Sweep), "tasks_overdue", move |tx| order::overdue(tx, now)).await?;
    for (tenant, task) in overdue {
        app.act(&system(tenant), "task_lost", move |tx, notes| lose(tx, notes, task, now)).await?;
    }
    let unsettled = app.store.read(Scope::System(SystemReason::Sweep), "targets_unsettled", targets::unsettled).await?;
    for (tenant, target) in unsettled {
        let question = app.context.uuid();
        app.act(&system(tenant), "target_look", move |tx, _| look(tx, target, question, now)).await?;
    }
    Ok(Step::Idle)
}

/// Asks the agent of a target that waits to be observed, if it is there and was not asked just now. Whoever
/// answers is heard wherever it hangs.
fn look(tx: &mut Tx<'_>, id: TargetId, question: Uuid, now: Timestamp) -> Result<()> {
    let Some(target) = resource::find::<Target>(tx, id)? else { return Ok(()) };
    let Some(agent) = Agents::default().of(tx, &target)? else { return Ok(()) };
    let heard = agent.enabled && matches!(agent.status, AgentStatus::Online | AgentStatus::Degraded);
    if !heard || observation::is_asked(tx, id, now)? {
        return Ok(());
    }
    let deadline = now.plus_seconds(LOOK_SECONDS);
    observation::ask(tx, agent.id, &Question { id: question, target: id, kind: "drift".to_owned(), deadline }, now)
}

/// The agent did not answer in time: fenced off, and honestly unknown until the target is observed.
fn lose(tx: &mut Tx<'_>, notes: &mut Notes, id: TaskId, now: Timestamp) -> Result<()> {
    let Some(row) = resource::find::<TaskRow>(tx, id)? else { return Ok(()) };
    tx.lock(&Lock::Job(row.task.job_id))?;
    let Some(mut row) = resource::find::<TaskRow>(tx, id)? else { return Ok(()) };
    let due = order::deadline(tx, id)?.is_some_and(|deadline| deadline <= now);
    if !due || !row.task.status.is_in_hand() {
        return Ok(());
    }
    let told = if order::is_cancelled(tx, id)? { Told::ToStop } else { Told::Nothing };
    unknown(tx, notes, &mut row, told)?;
    wake_job(tx, row.task.job_id, notes.now())
}

/// What a silent agent had been told last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// Nothing but the task.
    Nothing,
    /// To stop it.
    ToStop,
}

/// Writes a task off: fenced, unknown, its target to be observed.
pub(super) fn unknown(tx: &mut Tx<'_>, notes: &mut Notes, row: &mut TaskRow, told: Told) -> Result<()> {
    row.task.epoch = fence::raise(tx, row.task.target_id)?;
    row.task.status = row.task.status.after(TaskCommand::Lose)?;
    row.task.finished_at = Some(notes.now());
    let (code, message) = match told {
        Told::ToStop => {
            ("CANCEL_UNANSWERED", "the task was to be cancelled, but its agent did not answer before its lease ran out")
        }
        Told::Nothing => ("AGENT_SILENT", "the agent did not answer before its lease ran out"),
    };
    row.task.error = Some(plain_error(code, message, "what runs there is read when the agent is back"));
    resource::update(tx, row)?;
    await_observation(tx, row.task.target_id, notes.now())?;
    note_task(notes, &row.task)?;
    wake_waiting(tx, row.task.target_id, notes.now())
}

/// What runs on the target must be seen before anything else is known of it.
pub(crate) fn await_observation(tx: &mut Tx<'_>, id: TargetId, at: Timestamp) -> Result<()> {
    tx.lock(&Lock::Target(id))?;
    let Some(mut target) = resource::find::<Target>(tx, id)? else { return Ok(()) };
    target.reconciliation_pending = true;
    target.updated_at = at;
    // No person's change: a PUT in the making is not turned away by it.
    resource::update_observed(tx, &target).map(drop)
}
