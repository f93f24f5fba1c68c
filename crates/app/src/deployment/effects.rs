//! What the rollout wants done, written as rows.

use plimsoll_core::{
    Result, Timestamp,
    deployment::{
        DeploymentJob, Remains, TaskCommand, TaskError,
        rollout::{Effect, SkipCause},
    },
    id::TaskId,
    inventory::Target,
};
use plimsoll_store::{
    Tx,
    deployment::{self as rows, TaskRow, fence, order},
    resource,
};

use super::{create::undoing, lost, note_task, reach::why_offline};
use crate::{Notes, agent::Agents, agent_session::HANDOVER_SECONDS};

/// Applies one effect where the task's state still allows it; answers whether something changed.
pub(super) fn apply(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    agents: &mut Agents,
    job: &DeploymentJob,
    offered_until: Timestamp,
    effect: &Effect,
) -> Result<bool> {
    match effect {
        Effect::Offer(id) => change(tx, notes, *id, TaskCommand::Offer, |tx, notes, row| {
            let target: Target = resource::get(tx, row.task.target_id)?;
            row.task.agent_id = agents.of(tx, &target)?.map(|agent| agent.id);
            row.task.epoch = fence::raise(tx, row.task.target_id)?;
            row.task.attempt += 1;
            row.task.started_at.get_or_insert(notes.now());
            // From here on it ends, even if the order is never signed.
            order::begin(tx, row.task.id, offered_until)
        }),
        Effect::Skip { task_id, cause } => change(tx, notes, *task_id, TaskCommand::Skip, |tx, notes, row| {
            row.task.finished_at = Some(notes.now());
            let (message, hint) = match cause {
                SkipCause::Offline => {
                    let (why, hint) = why_offline(tx, agents, row.task.target_id)?;
                    (format!("the target was left out: {why}"), hint)
                }
                SkipCause::Maintenance | SkipCause::Gone | SkipCause::JobEnded => {
                    ("the target was left out".to_owned(), "")
                }
            };
            row.task.error = Some(plain_error(cause.code(), &message, hint));
            Ok(())
        }),
        Effect::FailOffline(id) => change(tx, notes, *id, TaskCommand::Fail, |tx, notes, row| {
            row.task.finished_at = Some(notes.now());
            let (message, hint) = why_offline(tx, agents, row.task.target_id)?;
            row.task.error = Some(plain_error("TARGET_OFFLINE", &message, hint));
            Ok(())
        }),
        Effect::Lose(id) => {
            let mut row: TaskRow = resource::get(tx, *id)?;
            if row.task.status.after(TaskCommand::Lose).is_err() {
                return Ok(false);
            }
            lost::unknown(tx, notes, &mut row, lost::Told::Nothing)?;
            Ok(true)
        }
        Effect::CancelPending(id) => cancel_pending(tx, notes, *id),
        Effect::MarkPutBack(id) => change(tx, notes, *id, TaskCommand::PutBack, |_, _, row| {
            row.task.remains = Some(Remains::Restored);
            Ok(())
        }),
        Effect::Stop(id) => {
            order::request_cancel(tx, *id, notes.now())?;
            tx.wake_after_commit();
            Ok(true)
        }
        Effect::PutBack { undoes, batch } => {
            let done = rows::tasks_of(tx, job.id)?;
            if done.iter().any(|row| row.task.undoes == Some(*undoes)) {
                return Ok(false);
            }
            let Some(undone) = done.into_iter().find(|row| row.task.id == *undoes) else { return Ok(false) };
            let mut row = undoing(notes.id(), &undone.task, notes.now());
            row.task.batch = *batch;
            resource::insert(tx, &row)?;
            note_task(notes, &row.task)?;
            Ok(true)
        }
        // Handled by the caller.
        Effect::Finish { .. } | Effect::WakeAt(_) => Ok(false),
    }
}

/// Until when a task may not be offered: another agent had its target in hand and let its lease run out
/// without a word, and may still be in its last step.
pub(super) fn closed_until(
    tx: &mut Tx<'_>,
    agents: &mut Agents,
    id: TaskId,
    now: Timestamp,
) -> Result<Option<Timestamp>> {
    let row: TaskRow = resource::get(tx, id)?;
    let target: Target = resource::get(tx, row.task.target_id)?;
    let Some(agent) = agents.of(tx, &target)?.map(|agent| agent.id) else { return Ok(None) };
    let missed = order::missed_by_others(tx, target.id, agent)?;
    Ok(missed.map(|deadline| deadline.plus_seconds(HANDOVER_SECONDS)).filter(|opens| *opens > now))
}

/// A task ends before it was offered.
pub(super) fn cancel_pending(tx: &mut Tx<'_>, notes: &mut Notes, id: TaskId) -> Result<bool> {
    change(tx, notes, id, TaskCommand::Cancel, |_, notes, row| {
        row.task.finished_at = Some(notes.now());
        Ok(())
    })
}

fn change(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    id: TaskId,
    command: TaskCommand,
    with: impl FnOnce(&mut Tx<'_>, &Notes, &mut TaskRow) -> Result<()>,
) -> Result<bool> {
    let mut row: TaskRow = resource::get(tx, id)?;
    let Ok(next) = row.task.status.after(command) else { return Ok(false) };
    if command == TaskCommand::Offer && rows::in_hand(tx, row.task.target_id)?.is_some() {
        // Another job has the target in hand; its end wakes this one.
        return Ok(false);
    }
    row.task.status = next;
    with(tx, notes, &mut row)?;
    resource::update(tx, &mut row)?;
    note_task(notes, &row.task)?;
    Ok(true)
}

/// An error that the server itself gives a task.
pub(super) fn plain_error(code: &str, message: &str, hint: &str) -> TaskError {
    TaskError {
        code: code.to_owned(),
        message: message.to_owned(),
        hint: (!hint.is_empty()).then(|| hint.to_owned()),
        component: None,
        log_tail: Vec::new(),
        exit_code: None,
        oom_killed: false,
    }
}
