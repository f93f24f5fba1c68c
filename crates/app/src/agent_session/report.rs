//! Acks, progress and log lines of tasks.

use plimsoll_core::{
    Result,
    deployment::{LogLine, LogSource, TaskCommand},
    id::{AgentId, TypedId as _},
};
use plimsoll_protocol::agent::{
    ServerFrame,
    report::{LogSource as WireSource, StepKind, StepStatus, TaskAck, TaskLog, TaskProgress},
};
use plimsoll_store::{
    deployment::{TaskRow, log, order},
    resource,
};
use serde_json::json;

use super::AgentCaller;
use crate::{App, deployment};

/// Lines taken of one chunk; the agent's own limit is far below.
const LINES: usize = 10_000;

impl App {
    /// The agent has the task on its disk, or refuses it.
    pub(super) async fn task_acked(&self, agent: &AgentCaller, ack: TaskAck) -> Result<Vec<ServerFrame>> {
        crate::failpoint::hit("server::ack_received");
        let id = agent.id;
        self.act(&agent.principal, "task_ack", move |tx, notes| {
            let Some(mut row) = held(resource::find(tx, ack.task_id)?, id, ack.epoch) else { return Ok(()) };
            if !order::ack(tx, ack.task_id, ack.epoch, notes.now())? {
                return Ok(());
            }
            match &ack.refusal {
                None => row.task.status = row.task.status.after(TaskCommand::Begin).unwrap_or(row.task.status),
                Some(error) => {
                    row.task.status = row.task.status.after(TaskCommand::Fail)?;
                    row.task.error = Some(deployment::task_error(error));
                    row.task.finished_at = Some(notes.now());
                }
            }
            if row.task.started_at.is_none() {
                row.task.started_at = Some(notes.now());
            }
            resource::update(tx, &mut row)?;
            deployment::note_task(notes, &row.task)?;
            if ack.refusal.is_some() {
                deployment::wake_waiting(tx, row.task.target_id, notes.now())?;
            }
            deployment::wake_job(tx, row.task.job_id, notes.now())
        })
        .await?;
        crate::failpoint::hit("server::ack_recorded");
        Ok(Vec::new())
    }

    /// A step began or ended.
    pub(super) async fn task_progressed(
        &self,
        agent: &AgentCaller,
        progress: TaskProgress,
    ) -> Result<Vec<ServerFrame>> {
        crate::failpoint::step_reported(progress.step);
        let id = agent.id;
        self.act(&agent.principal, "task_progress", move |tx, notes| {
            let Some(mut row) = held(resource::find(tx, progress.task_id)?, id, progress.epoch) else {
                return Ok(());
            };
            let watching = progress.step == StepKind::Watch && progress.status == StepStatus::Started;
            if watching && let Ok(next) = row.task.status.after(TaskCommand::Watch) {
                row.task.status = next;
                resource::update(tx, &mut row)?;
                deployment::note_task(notes, &row.task)?;
            }
            let data = json!({
                "step": progress.step, "status": progress.status, "component": progress.component,
                "detail": progress.detail, "at": progress.at, "targetName": row.task.target_name,
            });
            notes.event("task", row.task.id, Some(row.task.job_id.uuid()), "task.progress", data);
            Ok(())
        })
        .await?;
        Ok(Vec::new())
    }

    /// Log lines, already masked by the agent.
    pub(super) async fn task_logged(&self, agent: &AgentCaller, chunk: TaskLog) -> Result<Vec<ServerFrame>> {
        let id = agent.id;
        self.act(&agent.principal, "task_log", move |tx, notes| {
            let row: Option<TaskRow> = resource::find(tx, chunk.task_id)?;
            // Lines of an older offer are still true; those of another agent's task are not taken.
            let Some(row) = row.filter(|row| row.task.agent_id == Some(id) && chunk.epoch <= row.task.epoch) else {
                return Ok(());
            };
            let lines: Vec<LogLine> = chunk.lines.iter().take(LINES).map(line).collect();
            // A chunk's number restarts with each offer.
            let number = (chunk.epoch << 24) | (chunk.chunk & 0x00ff_ffff);
            if let Some(first) = log::append(tx, row.task.id, number, lines.clone())? {
                let lines: Vec<LogLine> =
                    lines.into_iter().zip(first..).map(|(line, seq)| LogLine { seq, ..line }).collect();
                let job = row.task.job_id.uuid();
                notes.event("task", row.task.id, Some(job), "task.log", json!({ "lines": lines }));
            }
            Ok(())
        })
        .await?;
        Ok(Vec::new())
    }
}

fn line(line: &plimsoll_protocol::agent::report::LogLine) -> LogLine {
    LogLine {
        seq: 0,
        at: line.at,
        source: match line.source {
            WireSource::Agent => LogSource::Agent,
            WireSource::Stdout => LogSource::Stdout,
            WireSource::Stderr => LogSource::Stderr,
        },
        component: line.component.clone(),
        text: line.text.clone(),
    }
}

/// The task, if this agent holds it at this epoch. A report with an old epoch changes nothing.
pub(super) fn held(row: Option<TaskRow>, agent: AgentId, epoch: u64) -> Option<TaskRow> {
    row.filter(|row| row.task.agent_id == Some(agent) && row.task.epoch == epoch && row.task.status.is_in_hand())
}
