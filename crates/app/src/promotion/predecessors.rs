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

/// Jobs that are read at once on the way back through an application's history.
const AT_ONCE: usize = 50;

fn predecessor(tx: &mut Tx<'_>, release: &Release, id: EnvironmentId) -> Result<PredecessorFacts> {
    let name = resource::find_any::<Environment>(tx, id)?.map_or_else(|| id.to_string(), |one| one.name);
    let open = jobs::open_jobs(tx, id, &release.name)?;
    let mut facts = PredecessorFacts {
        environment_id: id,
        name,
        deployed_by: None,
        deployed_at: None,
        rolled_back_at: None,
        in_progress: open.iter().rev().find(|job| job.release_id == release.id).map(|job| job.id),
        running_since: None,
        interrupted_by: None,
    };
    if jobs::ever_succeeded(tx, id, release.id)? {
        go_back(tx, &mut facts, release)?;
    }
    let runs = running::of_application(tx, id, &release.name)?;
    if (runs.is_empty() || runs.iter().any(|one| one.release != release.id)) && facts.running_since.take().is_some() {
        facts.interrupted_by = Some("not every target there runs it".to_owned());
    }
    Ok(facts)
}

/// Reads the history from its end, as far back as it matters and however long it is.
fn go_back(tx: &mut Tx<'_>, facts: &mut PredecessorFacts, release: &Release) -> Result<()> {
    let mut before = None;
    loop {
        let some = jobs::history_before(tx, facts.environment_id, &release.name, before, AT_ONCE)?;
        for job in &some {
            if follow(facts, release, job) == Back::Enough {
                return Ok(());
            }
        }
        if some.len() < AT_ONCE {
            return Ok(());
        }
        before = some.last().map(|job| (job.created_at, job.id));
    }
}

/// Whether older jobs still tell something.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    Further,
    Enough,
}

/// Takes the next older job into account. Until the last success of the release is found, `interrupted_by` and
/// `rolled_back_at` tell what came after it.
fn follow(facts: &mut PredecessorFacts, release: &Release, job: &DeploymentJob) -> Back {
    if job.status.is_terminal() && job.started_at.is_none() {
        // It was stopped while it waited for its turn: nothing was done.
        return Back::Further;
    }
    let ours = job.release_id == release.id;
    let ended = job.finished_at;
    match (ours, job.status) {
        (true, JobStatus::Succeeded) => {
            if facts.deployed_by.is_none() {
                facts.deployed_by = Some(job.id);
                facts.deployed_at = ended;
            }
            if facts.interrupted_by.is_some() {
                return Back::Enough;
            }
            facts.running_since = ended.or(facts.running_since);
            Back::Further
        }
        // It is not there yet, never came, or was put back at once.
        (
            true,
            JobStatus::Queued
            | JobStatus::Running
            | JobStatus::Paused
            | JobStatus::Cancelling
            | JobStatus::Failed
            | JobStatus::Cancelled
            | JobStatus::RolledBack,
        ) => Back::Further,
        // What ran before it runs again; nothing was begun yet.
        (false, JobStatus::RolledBack | JobStatus::Queued) => Back::Further,
        (
            false,
            JobStatus::Succeeded
            | JobStatus::Failed
            | JobStatus::Cancelled
            | JobStatus::Running
            | JobStatus::Paused
            | JobStatus::Cancelling,
        ) => {
            if facts.deployed_by.is_some() {
                // What ran before that was another stay.
                return Back::Enough;
            }
            let undone = job.kind == JobKind::Rollback && job.from_release_id == Some(release.id);
            if undone && facts.rolled_back_at.is_none() {
                facts.rolled_back_at = ended.or(Some(job.created_at));
            }
            facts.interrupted_by = Some(format!("{} of {}", job.kind, job.release_version));
            Back::Further
        }
    }
}
