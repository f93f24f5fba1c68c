//! Making a job with its tasks and specs, in the transaction that decided it.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result, Timestamp,
    actor::Actor,
    canonical,
    deployment::{
        DeploymentJob, JobKind, JobStatus, Plan, Progress, Task, TaskComponent, TaskKind, TaskStatus,
        spec::DeploymentSpec,
    },
    environment::Strategy,
    id::{AgentId, EnvironmentId, PromotionId, ReleaseId, TargetId},
};
use plimsoll_store::{
    Tx,
    deployment::{
        TaskRow,
        spec::{self, JobSpec},
    },
    resource,
};

use super::{artifact::keep_plan, note_job, wake_job};
use crate::Notes;

/// What a job is to do.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// Deploy, roll back or deploy again.
    pub kind: JobKind,
    /// The promotion that it carries out.
    pub promotion_id: Option<PromotionId>,
    /// The release that shall run.
    pub release_id: ReleaseId,
    /// Its version.
    pub release_version: String,
    /// The release that runs.
    pub from_release_id: Option<ReleaseId>,
    /// The unit that runs.
    pub application: String,
    /// Where.
    pub environment_id: EnvironmentId,
    /// How.
    pub strategy: Strategy,
    /// Which targets, in which batches.
    pub plan: Plan,
    /// What each target shall run, and what it runs.
    pub specs: BTreeMap<TargetId, PlannedSpec>,
    /// Who asked.
    pub requested_by: Actor,
}

/// The two sets of one target.
#[derive(Clone, Debug, Default)]
pub struct PlannedSpec {
    /// What shall run; `None` is nothing of the application.
    pub spec: Option<DeploymentSpec>,
    /// What runs; `None` is nothing of it.
    pub previous: Option<DeploymentSpec>,
    /// Which agent does it.
    pub agent: Option<AgentId>,
}

/// Inserts the job with a task for each planned target, and asks for it to be looked at.
pub fn create_job(tx: &mut Tx<'_>, notes: &mut Notes, new: NewJob) -> Result<DeploymentJob> {
    let now = notes.now();
    let job = DeploymentJob {
        id: notes.id(),
        kind: new.kind,
        promotion_id: new.promotion_id,
        release_id: new.release_id,
        release_version: new.release_version,
        from_release_id: new.from_release_id,
        application: new.application,
        environment_id: new.environment_id,
        strategy: new.strategy,
        status: JobStatus::Queued,
        progress: Progress::count(new.plan.targets.iter().map(|_| TaskStatus::Pending)),
        plan: new.plan,
        batch: None,
        requested_by: new.requested_by,
        created_at: now,
        started_at: None,
        finished_at: None,
        failure: None,
        cancellation: None,
        evidence_packet_ids: Vec::new(),
        revision: 1,
        updated_at: now,
    };
    resource::insert(tx, &job)?;
    keep_plan(tx, notes, &job)?;
    for target in &job.plan.targets {
        let planned = new.specs.get(&target.target_id).cloned().unwrap_or_default();
        let digest = canonical::digest(&planned.spec)?;
        let kept = JobSpec { target: target.target_id, spec: planned.spec, previous: planned.previous, digest };
        spec::insert(tx, job.id, &kept)?;
        let components = target
            .components
            .iter()
            .map(|one| TaskComponent {
                component_id: one.component_id,
                name: one.name.clone(),
                change: one.change,
                from_digest: one.from_digest,
                to_digest: one.to_digest,
                running_digest: None,
                endpoints: Vec::new(),
                downtime_ms: None,
            })
            .collect();
        let place =
            Place { target: target.target_id, name: target.name.clone(), batch: target.batch, agent: planned.agent };
        let row = pending(notes.id(), &job, place, components, now);
        resource::insert(tx, &row)?;
    }
    note_job(notes, &job)?;
    wake_job(tx, job.id, now)?;
    Ok(job)
}

/// Where a task happens.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) target: TargetId,
    pub(crate) name: String,
    pub(crate) batch: u32,
    pub(crate) agent: Option<AgentId>,
}

fn pending(
    id: plimsoll_core::id::TaskId,
    job: &DeploymentJob,
    place: Place,
    components: Vec<TaskComponent>,
    now: Timestamp,
) -> TaskRow {
    let task = Task {
        id,
        job_id: job.id,
        kind: TaskKind::Forward,
        undoes: None,
        target_id: place.target,
        target_name: place.name,
        batch: place.batch,
        agent_id: place.agent,
        status: TaskStatus::Pending,
        attempt: 0,
        epoch: 0,
        remains: None,
        components,
        started_at: None,
        finished_at: None,
        error: None,
    };
    TaskRow { task, revision: 1, created_at: now }
}

/// A task that puts back what another one changed.
pub(crate) fn undoing(id: plimsoll_core::id::TaskId, undone: &Task, now: Timestamp) -> TaskRow {
    let components = undone
        .components
        .iter()
        .map(|one| TaskComponent {
            from_digest: one.to_digest,
            to_digest: one.from_digest,
            running_digest: None,
            endpoints: Vec::new(),
            downtime_ms: None,
            ..one.clone()
        })
        .collect();
    let task = Task {
        id,
        kind: TaskKind::Rollback,
        undoes: Some(undone.id),
        status: TaskStatus::Pending,
        attempt: 0,
        epoch: 0,
        remains: None,
        components,
        started_at: None,
        finished_at: None,
        error: None,
        ..undone.clone()
    };
    TaskRow { task, revision: 1, created_at: now }
}
