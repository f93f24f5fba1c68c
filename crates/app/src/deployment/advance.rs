//! The reconciler of jobs: asks the pure rollout what is next, commits it, signs orders, and looks again.

use std::sync::Arc;

use plimsoll_core::{
    Result, Timestamp,
    audit::{Principal, PrincipalType},
    deployment::{
        DeploymentJob, JobCommand, JobFailure, JobStatus, Progress, TaskCommand, TaskError,
        rollout::{self, CancelMode, Effect, JobView, Reach, Stop, TaskView},
    },
    id::{JobId, TaskId, TenantId, TypedId as _, UserId},
    inventory::{Agent, AgentStatus, Target},
    permission::Grants,
};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx,
    deployment::{self as rows, TaskRow, fence, order},
    resource, work,
};
use uuid::Uuid;

use super::{JOB_WORK, create::undoing, note_job, note_task, wake_job};
use crate::{App, Notes, tasks::Progress as Step};

/// Seconds for which a replica holds a job while it looks at it.
const CLAIM_SECONDS: i64 = 30;
/// Jobs claimed at once.
const CLAIMED: u32 = 16;

/// The server itself, as the trail names it.
pub(crate) fn system(tenant: TenantId) -> Principal {
    Principal {
        tenant,
        kind: PrincipalType::System,
        id: Uuid::nil(),
        user: UserId::from_uuid(Uuid::nil()),
        name: "plimsoll".to_owned(),
        roles: Vec::new(),
        grants: Grants::default(),
        token_id: String::new(),
    }
}

/// One step of the background loop: whatever jobs are due.
pub async fn step(app: Arc<App>) -> Result<Step> {
    let (owner, now) = (app.replica.clone(), app.context.now());
    let due = app
        .store
        .write(Scope::System(SystemReason::Claim), "job_claim", move |tx| {
            work::claim(tx, JOB_WORK, &owner, now, CLAIM_SECONDS, CLAIMED)
        })
        .await?;
    let found = !due.is_empty();
    for claimed in due {
        let id: JobId = claimed.subject.parse()?;
        let principal = system(claimed.tenant);
        let next = app.advance_job(&principal, id).await;
        let scope = Scope::Tenant(claimed.tenant);
        let (subject, epoch) = (claimed.subject.clone(), claimed.epoch);
        let later = match next {
            Ok(next) => next,
            Err(error) => {
                tracing::warn!(job = %id, error = ?error, "a job could not be advanced; it will be tried again");
                Some(app.context.now().plus_seconds(5))
            }
        };
        app.store
            .write(scope, "job_release", move |tx| match later {
                None => work::finish(tx, JOB_WORK, &subject, epoch),
                Some(at) => work::postpone(tx, JOB_WORK, &subject, epoch, at),
            })
            .await?;
    }
    Ok(if found { Step::More } else { Step::Idle })
}

/// One step of the sweeper: tasks whose agent is silent past its deadline.
pub async fn sweep(app: Arc<App>) -> Result<Step> {
    let now = app.context.now();
    let overdue =
        app.store.read(Scope::System(SystemReason::Sweep), "tasks_overdue", move |tx| order::overdue(tx, now)).await?;
    for (tenant, task) in overdue {
        app.act(&system(tenant), "task_lost", move |tx, notes| lose(tx, notes, task, now)).await?;
    }
    Ok(Step::Idle)
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
    let told = order::is_cancelled(tx, id)?;
    unknown(tx, notes, &mut row, told)?;
    wake_job(tx, row.task.job_id, notes.now())
}

fn unknown(tx: &mut Tx<'_>, notes: &mut Notes, row: &mut TaskRow, told_to_stop: bool) -> Result<()> {
    row.task.epoch = fence::raise(tx, row.task.target_id)?;
    row.task.status = row.task.status.after(TaskCommand::Lose)?;
    row.task.finished_at = Some(notes.now());
    let (code, message) = if told_to_stop {
        ("CANCEL_UNANSWERED", "the task was to be cancelled, but its agent did not answer before its lease ran out")
    } else {
        ("AGENT_SILENT", "the agent did not answer before its lease ran out")
    };
    row.task.error = Some(plain_error(code, message, "what runs there is read when the agent is back"));
    resource::update(tx, row)?;
    if let Some(mut target) = resource::find::<Target>(tx, row.task.target_id)? {
        target.reconciliation_pending = true;
        target.updated_at = notes.now();
        resource::update(tx, &mut target)?;
    }
    note_task(notes, &row.task)
}

fn plain_error(code: &str, message: &str, hint: &str) -> TaskError {
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

impl App {
    /// Looks at a job until nothing more is to be done now. Answers when to look again, if a time is known.
    pub(crate) async fn advance_job(&self, principal: &Principal, id: JobId) -> Result<Option<Timestamp>> {
        // A job moves by at most a few steps without an agent's word; more is a defect, not a loop.
        for _ in 0..100 {
            let moved = self.act(principal, "job_advance", move |tx, notes| advance_once(tx, notes, id)).await?;
            crate::failpoint::hit("server::job_advanced");
            self.sign_orders(principal, id).await?;
            match moved {
                Moved::On => {}
                Moved::Waits(until) => return Ok(until),
            }
        }
        tracing::error!(job = %id, "a job did not come to rest");
        Ok(Some(self.context.now().plus_seconds(5)))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moved {
    On,
    Waits(Option<Timestamp>),
}

fn advance_once(tx: &mut Tx<'_>, notes: &mut Notes, id: JobId) -> Result<Moved> {
    tx.lock(&Lock::Job(id))?;
    let Some(mut job) = resource::find::<DeploymentJob>(tx, id)? else { return Ok(Moved::Waits(None)) };
    if job.status == JobStatus::Queued {
        job.status = job.status.after(JobCommand::Start)?;
        job.started_at = Some(notes.now());
        save(tx, notes, &mut job)?;
    }
    if job.status.is_terminal() || job.status == JobStatus::Paused {
        return Ok(Moved::Waits(None));
    }
    let tasks = rows::tasks_of(tx, id)?;
    let view = JobView {
        kind: job.kind,
        status: job.status,
        strategy: job.strategy.clone(),
        cancel: if rows::cancel_puts_back(tx, id)? { CancelMode::Rollback } else { CancelMode::Keep },
        started_at: job.started_at.unwrap_or(job.created_at),
        now: notes.now(),
    };
    let views = tasks.iter().map(|row| view_of(tx, row)).collect::<Result<Vec<TaskView>>>()?;
    let effects = rollout::advance(&view, &views);
    let mut wait = None;
    let mut moved = false;
    for effect in &effects {
        match effect {
            Effect::WakeAt(at) => wait = Some(*at),
            Effect::Finish { end, failure } => {
                finish(tx, notes, &mut job, JobCommand::Finish(*end), failure.clone())?;
                return Ok(Moved::Waits(None));
            }
            other => moved |= apply(tx, notes, &job, other)?,
        }
    }
    let statuses: Vec<_> = rows::tasks_of(tx, id)?.into_iter().map(|row| row.task.status).collect();
    let progress = Progress::count(statuses);
    if progress != job.progress {
        job.progress = progress;
        save(tx, notes, &mut job)?;
    }
    Ok(if moved { Moved::On } else { Moved::Waits(wait) })
}

fn view_of(tx: &mut Tx<'_>, row: &TaskRow) -> Result<TaskView> {
    let task = &row.task;
    Ok(TaskView {
        id: task.id,
        kind: task.kind,
        undoes: task.undoes,
        batch: task.batch,
        status: task.status,
        attempt: task.attempt,
        remains: task.remains,
        reach: reach(tx, row)?,
        stop: if order::is_cancelled(tx, task.id)? { Stop::Asked } else { Stop::NotAsked },
        created_at: row.created_at,
        finished_at: task.finished_at,
    })
}

fn reach(tx: &mut Tx<'_>, row: &TaskRow) -> Result<Reach> {
    let Some(target) = resource::find::<Target>(tx, row.task.target_id)? else { return Ok(Reach::Gone) };
    if target.maintenance {
        return Ok(Reach::Maintenance);
    }
    let agent = match target.agent_id {
        Some(id) => resource::find::<Agent>(tx, id)?,
        None => None,
    };
    Ok(match agent {
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

/// Applies one effect where the task's state still allows it; answers whether something changed.
fn apply(tx: &mut Tx<'_>, notes: &mut Notes, job: &DeploymentJob, effect: &Effect) -> Result<bool> {
    match effect {
        Effect::Offer(id) => change(tx, notes, *id, TaskCommand::Offer, |tx, notes, row| {
            let target: Target = resource::get(tx, row.task.target_id)?;
            row.task.agent_id = target.agent_id;
            row.task.epoch = fence::raise(tx, row.task.target_id)?;
            row.task.attempt += 1;
            row.task.started_at.get_or_insert(notes.now());
            Ok(())
        }),
        Effect::Skip { task_id, cause } => change(tx, notes, *task_id, TaskCommand::Skip, |_, notes, row| {
            row.task.finished_at = Some(notes.now());
            row.task.error = Some(plain_error(cause.code(), "the target was left out", ""));
            Ok(())
        }),
        Effect::FailOffline(id) => change(tx, notes, *id, TaskCommand::Fail, |_, notes, row| {
            row.task.finished_at = Some(notes.now());
            let hint = "start its agent, or let the strategy skip or wait for offline targets";
            row.task.error = Some(plain_error("TARGET_OFFLINE", "the target's agent is not connected", hint));
            Ok(())
        }),
        Effect::Lose(id) => change(tx, notes, *id, TaskCommand::Lose, |tx, notes, row| {
            row.task.epoch = fence::raise(tx, row.task.target_id)?;
            row.task.finished_at = Some(notes.now());
            let hint = "what runs there is read when the agent is back";
            row.task.error = Some(plain_error("AGENT_SILENT", "the agent did not tell how the task ended", hint));
            Ok(())
        }),
        Effect::CancelPending(id) => change(tx, notes, *id, TaskCommand::Cancel, |_, notes, row| {
            row.task.finished_at = Some(notes.now());
            Ok(())
        }),
        Effect::MarkPutBack(id) => change(tx, notes, *id, TaskCommand::PutBack, |_, _, _| Ok(())),
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

fn finish(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    job: &mut DeploymentJob,
    command: JobCommand,
    failure: Option<JobFailure>,
) -> Result<()> {
    job.status = job.status.after(command)?;
    job.finished_at = Some(notes.now());
    job.failure = failure;
    job.progress = Progress::count(rows::tasks_of(tx, job.id)?.into_iter().map(|row| row.task.status));
    super::ended::on_end(tx, notes, job)?;
    save(tx, notes, job)
}

fn save(tx: &mut Tx<'_>, notes: &mut Notes, job: &mut DeploymentJob) -> Result<()> {
    job.updated_at = notes.now();
    resource::update(tx, job)?;
    note_job(notes, job)
}
