//! How a release stands in an environment, from what was done there and what runs.

use super::resource::EnvironmentStateStatus;
use crate::{
    Timestamp,
    deployment::{DeploymentJob, JobKind, JobStatus},
    id::{JobId, PromotionId, ReleaseId},
};

/// What is known of a release in one environment.
#[derive(Clone, Copy, Debug)]
pub struct StandingFacts<'a> {
    /// Which release.
    pub release: ReleaseId,
    /// Its open promotion that has not begun to deploy, and since when it is open.
    pub waiting: Option<(PromotionId, Timestamp)>,
    /// The jobs that brought it or shall, newest first.
    pub jobs: &'a [DeploymentJob],
    /// The first job of the application that succeeded after the newest of these, with another release.
    pub followed: Option<&'a DeploymentJob>,
    /// What runs of the application, one entry a target: the release, and since when.
    pub runs: &'a [(ReleaseId, Timestamp)],
}

/// How it stands, by what, since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How.
    pub status: EnvironmentStateStatus,
    /// The promotion that brought it, or would.
    pub promotion: Option<PromotionId>,
    /// The job that brought it, or does.
    pub job: Option<JobId>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// The standing that follows from the facts.
#[must_use]
pub fn standing(facts: StandingFacts<'_>) -> Standing {
    use EnvironmentStateStatus as S;
    let last = facts.jobs.first();
    let by =
        |status, job: &DeploymentJob, since| Standing { status, promotion: job.promotion_id, job: Some(job.id), since };
    if let Some(job) = last.filter(|job| is_open(job.status)) {
        return by(S::Deploying, job, job.started_at.or(Some(job.created_at)));
    }
    let here: Vec<Timestamp> =
        facts.runs.iter().filter(|(release, _)| *release == facts.release).map(|(_, since)| *since).collect();
    if let (Some(since), Some(job)) = (here.iter().max(), last) {
        let whole = here.len() == facts.runs.len() && job.status == JobStatus::Succeeded;
        return by(if whole { S::Deployed } else { S::PartiallyDeployed }, job, Some(*since));
    }
    if let Some((promotion, since)) = facts.waiting {
        return Standing { status: S::Pending, promotion: Some(promotion), job: None, since: Some(since) };
    }
    // A job that was called off says nothing: what was before it counts.
    let Some(job) = facts.jobs.iter().find(|job| job.status != JobStatus::Cancelled) else {
        return Standing { status: S::NotDeployed, promotion: None, job: None, since: None };
    };
    let status = match job.status {
        JobStatus::Failed => S::Failed,
        JobStatus::RolledBack => S::RolledBack,
        JobStatus::Queued
        | JobStatus::Running
        | JobStatus::Paused
        | JobStatus::Succeeded
        | JobStatus::Cancelling
        | JobStatus::Cancelled => match facts.followed {
            Some(next) if next.kind == JobKind::Rollback && next.from_release_id == Some(facts.release) => {
                S::RolledBack
            }
            Some(_) => S::Superseded,
            // It was there; its targets are gone.
            None => S::NotDeployed,
        },
    };
    let ended = facts.followed.and_then(|next| next.finished_at).or(job.finished_at);
    by(status, job, ended)
}

const fn is_open(status: JobStatus) -> bool {
    match status {
        JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling => true,
        JobStatus::Succeeded | JobStatus::Failed | JobStatus::Cancelled | JobStatus::RolledBack => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Digest, id::TypedId};

    fn id<I: TypedId>(number: u128) -> I {
        I::from_uuid(uuid::Uuid::from_u128(number))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn job(number: u128, kind: JobKind, status: JobStatus, release: u128, from: Option<u128>) -> DeploymentJob {
        let user = json!({"type": "user", "id": uuid::Uuid::nil(), "userId": uuid::Uuid::nil(), "name": "ada"});
        serde_json::from_value(json!({
            "id": id::<JobId>(number), "kind": kind, "status": status, "releaseId": id::<ReleaseId>(release),
            "fromReleaseId": from.map(id::<ReleaseId>), "promotionId": id::<PromotionId>(number), "releaseVersion": "1",
            "application": "shop", "environmentId": uuid::Uuid::nil(), "strategy": {"type": "all_at_once"},
            "plan": {"targets": [], "leftOut": [], "batches": 0, "hash": Digest::of(b"plan")}, "progress": {},
            "requestedBy": user, "createdAt": at(10), "startedAt": at(11), "finishedAt": at(20),
            "evidencePacketIds": [], "revision": 1, "updatedAt": at(20),
        }))
        .unwrap()
    }

    #[test]
    fn every_standing_follows_from_its_facts() {
        use EnvironmentStateStatus as S;
        use JobKind::{Deploy, Rollback};
        use JobStatus::{Cancelled, Failed, Paused, RolledBack, Running, Succeeded};
        let mine = |status| job(1, Deploy, status, 1, None);
        let (one, other) = ((id(1), at(15)), (id(2), at(16)));
        let next = job(2, Deploy, Succeeded, 2, Some(1));
        let back = job(2, Rollback, Succeeded, 2, Some(1));
        let back_to_it = job(3, Rollback, Succeeded, 1, Some(2));
        for (jobs, followed, runs, waiting, expected) in [
            (vec![], None, vec![], false, S::NotDeployed),
            (vec![], None, vec![other], false, S::NotDeployed),
            (vec![], None, vec![other], true, S::Pending),
            (vec![mine(Running)], None, vec![other], false, S::Deploying),
            (vec![mine(Paused)], None, vec![one, other], false, S::Deploying),
            (vec![mine(Succeeded)], None, vec![one, one], false, S::Deployed),
            (vec![mine(Succeeded)], None, vec![one], true, S::Deployed),
            (vec![back_to_it, mine(Succeeded)], Some(&next), vec![one], false, S::Deployed),
            (vec![mine(Succeeded)], None, vec![one, other], false, S::PartiallyDeployed),
            (vec![mine(Cancelled)], None, vec![one], false, S::PartiallyDeployed),
            (vec![mine(Failed)], None, vec![one], false, S::PartiallyDeployed),
            (vec![mine(Failed)], None, vec![other], false, S::Failed),
            (vec![mine(Failed)], None, vec![other], true, S::Pending),
            (vec![mine(RolledBack)], None, vec![other], false, S::RolledBack),
            (vec![mine(Succeeded)], Some(&next), vec![other], false, S::Superseded),
            (vec![mine(Succeeded)], Some(&back), vec![other], false, S::RolledBack),
            (vec![mine(Cancelled), mine(Succeeded)], Some(&next), vec![other], false, S::Superseded),
            (vec![mine(Cancelled)], None, vec![other], false, S::NotDeployed),
            (vec![mine(Succeeded)], None, vec![], false, S::NotDeployed),
        ] {
            let facts = StandingFacts {
                release: id(1),
                waiting: waiting.then_some((id(9), at(5))),
                jobs: &jobs,
                followed,
                runs: &runs,
            };
            assert_eq!(standing(facts).status, expected, "{facts:?}");
        }
    }

    #[test]
    fn since_when_is_when_the_last_target_had_it() {
        let jobs = [job(1, JobKind::Deploy, JobStatus::Succeeded, 1, None)];
        let runs = [(id(1), at(12)), (id(1), at(14))];
        let facts = StandingFacts { release: id(1), waiting: None, jobs: &jobs, followed: None, runs: &runs };
        let found = standing(facts);
        assert_eq!((found.since, found.job, found.promotion), (Some(at(14)), Some(id(1)), Some(id(1))));
    }
}
