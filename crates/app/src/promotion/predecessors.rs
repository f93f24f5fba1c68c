//! How a release fares in the environments before, from their jobs and from what runs there.

use plimsoll_core::{
    Result,
    deployment::{DeploymentJob, JobKind, JobStatus},
    environment::Environment,
    id::EnvironmentId,
    promotion::PredecessorFacts,
    release::Release,
};
use plimsoll_store::{
    Tx,
    deployment::{self as jobs, running},
    resource,
};

/// One entry for each environment that must come before.
pub(super) fn predecessors(
    tx: &mut Tx<'_>,
    release: &Release,
    before: &[EnvironmentId],
) -> Result<Vec<PredecessorFacts>> {
    before.iter().map(|id| predecessor(tx, release, *id)).collect()
}

fn predecessor(tx: &mut Tx<'_>, release: &Release, id: EnvironmentId) -> Result<PredecessorFacts> {
    let name = resource::find_any::<Environment>(tx, id)?.map_or_else(|| id.to_string(), |one| one.name);
    let mut history = jobs::history(tx, id, &release.name)?;
    history.reverse();
    let mut facts = PredecessorFacts {
        environment_id: id,
        name,
        deployed_by: None,
        deployed_at: None,
        rolled_back_at: None,
        in_progress: None,
        running_since: None,
        interrupted_by: None,
    };
    for job in &history {
        follow(&mut facts, release, job);
    }
    let runs = running::of_application(tx, id, &release.name)?;
    if (runs.is_empty() || runs.iter().any(|one| one.release != release.id)) && facts.running_since.take().is_some() {
        facts.interrupted_by = Some("not every target there runs it".to_owned());
    }
    Ok(facts)
}

/// Takes the next job of the history into account.
fn follow(facts: &mut PredecessorFacts, release: &Release, job: &DeploymentJob) {
    if job.status.is_terminal() && job.started_at.is_none() {
        // It was stopped while it waited for its turn: nothing was done.
        return;
    }
    let ours = job.release_id == release.id;
    let ended = job.finished_at;
    match (ours, job.status) {
        (true, JobStatus::Succeeded) => {
            facts.deployed_by = Some(job.id);
            facts.deployed_at = ended;
            facts.rolled_back_at = None;
            facts.running_since = facts.running_since.or(ended);
        }
        (true, JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling) => {
            facts.in_progress = Some(job.id);
        }
        // It never came, or was put back at once.
        (true, JobStatus::Failed | JobStatus::Cancelled | JobStatus::RolledBack) => {}
        // What ran before it runs again; nothing was begun yet.
        (false, JobStatus::RolledBack | JobStatus::Queued) => {}
        (
            false,
            JobStatus::Succeeded
            | JobStatus::Failed
            | JobStatus::Cancelled
            | JobStatus::Running
            | JobStatus::Paused
            | JobStatus::Cancelling,
        ) => {
            let undone = job.kind == JobKind::Rollback && job.from_release_id == Some(release.id);
            if undone && facts.deployed_by.is_some() {
                facts.rolled_back_at = ended.or(Some(job.created_at));
            }
            if facts.running_since.take().is_some() {
                facts.interrupted_by = Some(format!("{} of {}", job.kind, job.release_version));
            }
        }
    }
}
