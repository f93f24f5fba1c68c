//! Where a release is.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result,
    deployment::{DeploymentJob, Progress, TaskStatus},
    environment::Environment,
    id::ReleaseId,
    permission::Permission,
    release::{
        EnvironmentState, Release, ReleaseState,
        standing::{StandingFacts, standing},
    },
};
use plimsoll_store::{Tx, promotion, release as rows, resource};

use crate::{App, Caller};

impl App {
    /// How a release stands in every environment that the caller may see, in the order of the environments.
    /// Releases are for all environments to read; where one is belongs to each.
    pub async fn release_state(&self, caller: &Caller, id: ReleaseId) -> Result<ReleaseState> {
        let grants = caller.principal.grants.clone();
        self.store
            .read(caller.scope(), "release_state", move |tx| {
                let release: Release = resource::get(tx, id)?;
                let mut environments: Vec<Environment> = resource::find_where(tx, "1 = 1 LIMIT 1000", &[])?;
                environments.retain(|one| grants.in_environment(Permission::EnvironmentRead, one.id));
                environments.sort_by(|one, other| {
                    one.order_index.cmp(&other.order_index).then_with(|| one.name.cmp(&other.name))
                });
                let environments = environments.iter().map(|one| state_in(tx, &release, one)).collect::<Result<_>>()?;
                Ok(ReleaseState { release_id: id, environments })
            })
            .await
    }
}

fn state_in(tx: &mut Tx<'_>, release: &Release, environment: &Environment) -> Result<EnvironmentState> {
    let waiting = promotion::open_of(tx, release.id, environment.id)?;
    let jobs = rows::jobs_of(tx, release, environment.id)?;
    let followed = match jobs.first() {
        Some(last) => rows::next_release(tx, release, last)?,
        None => None,
    };
    let runs = rows::runs_of(tx, &release.name, environment.id)?;
    let found = standing(StandingFacts {
        release: release.id,
        waiting: waiting.as_ref().map(|row| (row.promotion.id, row.promotion.requested_at)),
        jobs: &jobs,
        followed: followed.as_ref(),
        runs: &runs,
    });
    let job = jobs.iter().find(|job| Some(job.id) == found.job);
    Ok(EnvironmentState {
        environment_id: environment.id,
        environment: environment.name.clone(),
        status: found.status,
        promotion_id: found.promotion,
        job_id: found.job,
        since: found.since,
        targets: job.map(counts).unwrap_or_default(),
    })
}

/// The job's targets by the state of their task, without the states that none has.
fn counts(job: &DeploymentJob) -> BTreeMap<String, u64> {
    let Progress {
        total: _,
        pending,
        assigned,
        running,
        verifying,
        succeeded,
        failed,
        rolled_back,
        skipped,
        cancelled,
        unknown,
    } = job.progress;
    [
        (TaskStatus::Pending, pending),
        (TaskStatus::Assigned, assigned),
        (TaskStatus::Running, running),
        (TaskStatus::Verifying, verifying),
        (TaskStatus::Succeeded, succeeded),
        (TaskStatus::Failed, failed),
        (TaskStatus::RolledBack, rolled_back),
        (TaskStatus::Skipped, skipped),
        (TaskStatus::Cancelled, cancelled),
        (TaskStatus::Unknown, unknown),
    ]
    .into_iter()
    .filter(|(_, count)| *count > 0)
    .map(|(status, count)| (status.as_str().to_owned(), u64::from(count)))
    .collect()
}
