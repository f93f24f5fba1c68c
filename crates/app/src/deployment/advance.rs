//! The reconciler of jobs: asks the pure rollout what is next, commits it, signs orders, and looks again.

use std::sync::Arc;

use plimsoll_core::{
    Result, Timestamp,
    audit::{Principal, PrincipalType},
    deployment::{
        CancelMode, DeploymentJob, JobCommand, JobFailure, JobStatus, Progress, TaskKind,
        rollout::{self, BatchProgress, BatchStatus, Effect, JobView, TaskView},
    },
    id::{JobId, TenantId, TypedId as _, UserId},
    permission::Grants,
};
use plimsoll_store::{Lock, Scope, SystemReason, Tx, deployment as rows, resource, work};
use uuid::Uuid;

use super::{
    JOB_WORK,
    effects::{apply, closed_until},
    json, note_job,
    reach::view_of,
    turn,
};
use crate::{App, Notes, agent::Agents, agent_session::LEASE_MARGIN_SECONDS, tasks::Progress as Step};

/// Seconds for which a replica holds a job while it looks at it.
const CLAIM_SECONDS: i64 = 10;
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

impl App {
    /// By when an agent that is told something now must have answered, or have lost its lease.
    pub(super) fn answer_due(&self) -> Timestamp {
        self.context.now().plus_seconds(i64::from(self.settings.lease_seconds) + LEASE_MARGIN_SECONDS)
    }

    /// Looks at a job until nothing more is to be done now. Answers when to look again, if a time is known.
    pub(crate) async fn advance_job(&self, principal: &Principal, id: JobId) -> Result<Option<Timestamp>> {
        // A job moves by at most a few steps without an agent's word; more is a defect, not a loop.
        for _ in 0..100 {
            let until = self.answer_due();
            let moved = self.act(principal, "job_advance", move |tx, notes| advance_once(tx, notes, id, until)).await?;
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

fn advance_once(tx: &mut Tx<'_>, notes: &mut Notes, id: JobId, until: Timestamp) -> Result<Moved> {
    let Some(known) = resource::find::<DeploymentJob>(tx, id)? else { return Ok(Moved::Waits(None)) };
    if known.status == JobStatus::Queued && !turn::begin(tx, notes, &known)? {
        // The end of the one before asks for it again.
        return Ok(Moved::Waits(None));
    }
    tx.lock(&Lock::Job(id))?;
    let mut job: DeploymentJob = resource::get(tx, id)?;
    if job.status.is_terminal() || job.status == JobStatus::Paused {
        return Ok(Moved::Waits(None));
    }
    let tasks = rows::tasks_of(tx, id)?;
    let view = JobView {
        kind: job.kind,
        status: job.status,
        strategy: job.strategy.clone(),
        cancel: job.cancellation.as_ref().map_or(CancelMode::Keep, |asked| asked.mode),
        started_at: job.started_at.unwrap_or(job.created_at),
        now: notes.now(),
    };
    let mut agents = Agents::default();
    let views = tasks.iter().map(|row| view_of(tx, &mut agents, row)).collect::<Result<Vec<TaskView>>>()?;
    note_batch(notes, &mut job, &view, &views)?;
    let effects = rollout::advance(&view, &views);
    let mut wait = None;
    let mut moved = false;
    for effect in &effects {
        match effect {
            Effect::WakeAt(at) => wait = Some(earlier(wait, *at)),
            Effect::Finish { end, failure } => {
                finish(tx, notes, &mut job, JobCommand::Finish(*end), failure.clone())?;
                return Ok(Moved::Waits(None));
            }
            Effect::Offer(id) => match closed_until(tx, &mut agents, *id, notes.now())? {
                Some(opens) => wait = Some(earlier(wait, opens)),
                None => moved |= apply(tx, notes, &mut agents, &job, until, effect)?,
            },
            Effect::Skip { .. }
            | Effect::FailOffline(_)
            | Effect::Lose(_)
            | Effect::CancelPending(_)
            | Effect::Stop(_)
            | Effect::PutBack { .. }
            | Effect::MarkPutBack(_) => moved |= apply(tx, notes, &mut agents, &job, until, effect)?,
        }
    }
    let progress = progress(&rows::tasks_of(tx, id)?);
    if progress != job.progress || job.batch != known.batch {
        job.progress = progress;
        save(tx, notes, &mut job)?;
    }
    Ok(if moved { Moved::On } else { Moved::Waits(wait) })
}

/// Tells that a batch began, waits for its turn or ended, once each.
fn note_batch(notes: &mut Notes, job: &mut DeploymentJob, view: &JobView, tasks: &[TaskView]) -> Result<()> {
    let Some(now) = BatchProgress::of(view, tasks) else { return Ok(()) };
    for told in now.since(job.batch) {
        let kind = match told.status {
            BatchStatus::Waiting => "batch.waiting",
            BatchStatus::Started => "batch.started",
            BatchStatus::Ended => "batch.ended",
        };
        notes.event("deployment_job", job.id, None, kind, json(&told)?);
        job.batch = Some(told);
    }
    Ok(())
}

fn earlier(known: Option<Timestamp>, other: Timestamp) -> Timestamp {
    known.map_or(other, |known| known.min(other))
}

/// Ends a job, with its evidence and whatever hangs on it.
pub(super) fn finish(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    job: &mut DeploymentJob,
    command: JobCommand,
    failure: Option<JobFailure>,
) -> Result<()> {
    job.status = job.status.after(command)?;
    job.finished_at = Some(notes.now());
    job.failure = failure;
    job.progress = progress(&rows::tasks_of(tx, job.id)?);
    super::ended::on_end(tx, notes, job)?;
    save(tx, notes, job)
}

/// How far the forward tasks are.
fn progress(tasks: &[rows::TaskRow]) -> Progress {
    let forward = tasks.iter().filter(|row| row.task.kind == TaskKind::Forward);
    Progress::count(forward.map(|row| row.task.status))
}

pub(super) fn save(tx: &mut Tx<'_>, notes: &mut Notes, job: &mut DeploymentJob) -> Result<()> {
    job.updated_at = notes.now();
    resource::update(tx, job)?;
    note_job(notes, job)
}
