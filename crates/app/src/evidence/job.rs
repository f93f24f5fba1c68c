//! What a job did, sealed when it ends: its plan, and what each target ran before and after.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result, canonical,
    deployment::{DeploymentJob, JobKind},
    evidence_packet::{
        EvidenceType,
        predicate::{JobPredicate, RollbackFacts, TargetError, TargetOutcome},
    },
};
use plimsoll_evidence::PredicateType;
use plimsoll_store::{
    Tx,
    deployment::{self as rows, spec},
    resource,
    rollback::RollbackRow,
    version_sticker,
};

use super::{Draft, seal};
use crate::Notes;

/// Seals what a job did; the packet's id goes to the job.
pub(crate) fn seal_job(tx: &mut Tx<'_>, notes: &mut Notes, job: &mut DeploymentJob) -> Result<()> {
    let mut subjects = BTreeMap::new();
    let mut targets = Vec::new();
    let mut release_digest = None;
    let stickers = version_sticker::of_job(tx, job.id)?;
    for row in rows::tasks_of(tx, job.id)? {
        let task = row.task;
        let placed = stickers.get(&(task.target_id, task.epoch));
        let kept = spec::find(tx, job.id, task.target_id)?;
        if let Some(spec) = kept.as_ref().and_then(|kept| kept.spec.as_ref()) {
            release_digest = Some(spec.release_digest);
            subjects.extend(spec.components.iter().map(|one| (one.name.clone(), one.image.digest)));
        }
        targets.push(TargetOutcome {
            task_id: task.id,
            target_id: task.target_id,
            target_name: task.target_name,
            kind: task.kind,
            status: task.status,
            epoch: task.epoch.to_string(),
            components: task.components,
            error: task.error.as_ref().map(TargetError::of).transpose()?,
            spec_digest: kept.map(|kept| kept.digest),
            sticker_digest: placed.map(|one| canonical::digest(&one.signature)).transpose()?,
            started_at: task.started_at,
            finished_at: task.finished_at,
        });
    }
    if subjects.is_empty() {
        // Nothing of the application is left anywhere: the plan itself is what the packet is about.
        subjects.insert("plan".to_owned(), job.plan.hash);
    }
    let kinds = match job.kind {
        JobKind::Rollback => (EvidenceType::Rollback, PredicateType::Rollback),
        JobKind::Deploy | JobKind::Redeploy => (EvidenceType::Deployment, PredicateType::Deployment),
    };
    let known = job.clone();
    let says = JobPredicate {
        job_id: known.id,
        kind: known.kind,
        status: known.status,
        application: known.application,
        environment_id: known.environment_id,
        release_id: known.release_id,
        release_version: known.release_version,
        release_digest,
        from_release_id: known.from_release_id,
        promotion_id: known.promotion_id,
        requested_by: known.requested_by,
        strategy: known.strategy,
        plan: known.plan,
        failure: known.failure,
        created_at: known.created_at,
        started_at: known.started_at,
        finished_at: known.finished_at,
        targets,
        secrets_read_anew: known.kind == JobKind::Rollback,
        cancellation: known.cancellation,
        rollback: resource::find::<RollbackRow>(tx, known.id)?.map(|row| RollbackFacts::from(&row.rollback)),
    };
    let draft = Draft::new(notes, kinds, subjects, &says)?;
    let id = seal(tx, notes, draft, |packet| {
        packet.release_id = Some(says.release_id);
        packet.release_digest = release_digest;
        packet.environment_id = Some(says.environment_id);
        // A decision's packet is found by its promotion; a job's by its job.
        packet.deployment_job_id = Some(says.job_id);
    })?;
    job.evidence_packet_ids.push(id);
    Ok(())
}
