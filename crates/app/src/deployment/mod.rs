//! Deployment jobs: made by promotions and rollbacks, advanced by a reconciler, carried out by agents.

pub mod advance;
pub(crate) mod artifact;
pub(crate) mod cancel;
pub mod create;
mod effects;
mod ended;
pub mod lost;
pub mod offer;
mod reach;
pub mod read;
pub mod reconcile;
mod turn;

use plimsoll_core::{
    Result, Timestamp,
    deployment::{DeploymentJob, Task, TaskError, TaskKind, spec::DeploymentSpec},
    id::{JobId, TargetId, TypedId as _},
    inventory::Target,
};
use plimsoll_protocol::agent::report;
use plimsoll_store::{
    Tx,
    deployment::{self as rows, spec::JobSpec},
    resource, work,
};
use serde_json::Value;

use crate::Notes;

/// The kind of background work that advances a job.
pub const JOB_WORK: &str = "deployment_job";

/// Asks for a job to be looked at.
pub(crate) fn wake_job(tx: &mut Tx<'_>, job: JobId, at: Timestamp) -> Result<()> {
    work::enqueue(tx, JOB_WORK, &job.to_string(), at)
}

/// Asks for the jobs to be looked at that have something to do on a target which became free or reachable.
pub(crate) fn wake_waiting(tx: &mut Tx<'_>, target: TargetId, at: Timestamp) -> Result<()> {
    for job in rows::waiting_for(tx, target)? {
        wake_job(tx, job, at)?;
    }
    Ok(())
}

/// Notes that a task changed; the job's stream carries it too.
pub(crate) fn note_task(notes: &mut Notes, task: &Task) -> Result<()> {
    notes.event("task", task.id, Some(task.job_id.uuid()), "task.changed", json(task)?);
    Ok(())
}

/// Notes that a job changed.
pub(crate) fn note_job(notes: &mut Notes, job: &DeploymentJob) -> Result<()> {
    notes.event("deployment_job", job.id, None, "job.changed", json(job)?);
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<Value> {
    serde_json::to_value(value)
        .map_err(|cause| plimsoll_core::Error::internal_defect(format!("an event is not JSON: {cause}")))
}

/// An agent's error as people see it.
pub(crate) fn task_error(error: &report::TaskError) -> TaskError {
    TaskError {
        code: error.code.as_str().to_owned(),
        message: error.message.clone(),
        hint: error.hint.clone(),
        component: error.component.clone(),
        log_tail: error.log_tail.clone(),
        exit_code: error.exit_code,
        oom_killed: error.oom_killed,
    }
}

/// What a task brings: a forward task the new spec, one that undoes the previous.
pub(crate) const fn brought_by<'a>(task: &Task, kept: &'a JobSpec) -> Option<&'a DeploymentSpec> {
    match task.kind {
        TaskKind::Forward => kept.spec.as_ref(),
        TaskKind::Rollback => kept.previous.as_ref(),
    }
}

/// Keeps the ports that the host gave, where they can be asked for.
pub(crate) fn note_endpoints(tx: &mut Tx<'_>, task: &Task) -> Result<()> {
    let Some(mut target) = resource::find::<Target>(tx, task.target_id)? else { return Ok(()) };
    let names: Vec<&str> = task.components.iter().map(|one| one.name.as_str()).collect();
    target.endpoints.retain(|endpoint| !names.contains(&endpoint.component.as_str()));
    target.endpoints.extend(task.components.iter().flat_map(|one| one.endpoints.iter().cloned()));
    resource::update(tx, &mut target)
}
