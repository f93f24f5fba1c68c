//! Which release a rollback goes to: back along the application's own history in the environment.

use super::{JobKind, JobStatus, Remains};
use crate::{
    error::{Error, ErrorCode, Result},
    id::{JobId, PromotionId, ReleaseId},
};

/// One job of the application in the environment, as rows tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Which.
    pub job_id: JobId,
    /// What for.
    pub kind: JobKind,
    /// The release that it brought or brought back.
    pub release_id: ReleaseId,
    /// Its version, for messages.
    pub version: String,
    /// Whether the release is deprecated with `block` now.
    pub blocked: bool,
    /// How it stands.
    pub status: JobStatus,
    /// What it left on the targets, if it ended without success.
    pub remains: Remains,
    /// Whether it was about all targets. One about a few does not move the environment.
    pub scope: Scope,
    /// The promotion that it carried out.
    pub promotion_id: Option<PromotionId>,
}

/// What a job was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every target of the application.
    Whole,
    /// Some of them.
    Part,
}

/// Where a rollback goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The release that runs or was being rolled out.
    pub from_release_id: ReleaseId,
    /// The promotion that brought it: it becomes `rolled_back`.
    pub undoes: Option<PromotionId>,
    /// The release that comes back.
    pub to_release_id: ReleaseId,
    /// The job whose sealed specs are put back.
    pub specs_of: JobId,
}

/// Where a rollback goes: to `wanted`, or to the newest below the one that runs or was being rolled out.
/// `jobs` are all of the application in the environment, oldest first.
pub fn destination(jobs: &[HistoryEntry], wanted: Option<ReleaseId>) -> Result<Destination> {
    let path = Path::of(jobs);
    let Some(from) = path.from() else {
        return Err(Error::new(
            ErrorCode::NothingToRollBackTo,
            "nothing of this application was ever deployed here, so there is nothing to go back to",
        ));
    };
    let to = match wanted {
        Some(wanted) => last_success(jobs, wanted).ok_or_else(|| never_here(jobs, wanted))?,
        None => path.below().ok_or_else(|| {
            Error::new(
                ErrorCode::NothingToRollBackTo,
                format!("no release that succeeded here lies below {}; promote another one instead", from.version),
            )
        })?,
    };
    if to.release_id == from.release_id && path.attempt.is_none() {
        return Err(Error::new(
            ErrorCode::AlreadyDeployed,
            format!("{} is what runs here; ask for a promotion with redeploy to bring it anew", to.version),
        ));
    }
    if to.blocked {
        return Err(Error::new(
            ErrorCode::ReleaseDeprecated,
            format!(
                "{} is deprecated and blocked; name an older release with toReleaseId, or promote another one",
                to.version
            ),
        )
        .details(serde_json::json!({ "releaseId": to.release_id, "older": older(jobs, to.release_id) })));
    }
    let specs_of = last_success(jobs, to.release_id).map_or(to.job_id, |success| success.job_id);
    Ok(Destination {
        from_release_id: from.release_id,
        undoes: path.promotion_of(from),
        to_release_id: to.release_id,
        specs_of,
    })
}

/// The application that a rollback is about.
pub fn application(wanted: Option<&str>, running: &[String]) -> Result<String> {
    match (wanted, running) {
        (Some(name), _) if running.iter().any(|one| one == name) => Ok(name.to_owned()),
        (Some(name), _) => Err(Error::new(
            ErrorCode::NothingToRollBackTo,
            format!("the application {name:?} was never deployed here; deployed were: {}", listed(running)),
        )),
        (None, [only]) => Ok(only.clone()),
        (None, []) => Err(Error::new(ErrorCode::NothingToRollBackTo, "no application was ever deployed here")),
        (None, several) => Err(Error::new(
            ErrorCode::ApplicationRequired,
            format!("several applications run here; name one in application: {}", several.join(", ")),
        )
        .details(serde_json::json!({ "applications": several }))),
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The error for images that a rollback needs and nobody has any more.
#[must_use]
pub fn image_missing(images: &[String]) -> Error {
    Error::new(
        ErrorCode::RollbackImageMissing,
        format!(
            "the registry no longer has what the rollback needs: {}; push it again or choose another release",
            images.join(", ")
        ),
    )
    .details(serde_json::json!({ "images": images }))
}

/// The releases that lie on the way back, and what was tried last.
struct Path<'a> {
    jobs: &'a [HistoryEntry],
    /// Releases that succeeded, oldest first; a rollback took off what lay above.
    steps: Vec<&'a HistoryEntry>,
    /// A job since that left something without success, or is under way.
    attempt: Option<&'a HistoryEntry>,
}

impl<'a> Path<'a> {
    fn of(jobs: &'a [HistoryEntry]) -> Self {
        let mut path = Self { jobs, steps: Vec::new(), attempt: None };
        for job in jobs.iter().filter(|job| job.scope == Scope::Whole) {
            path.take(job);
        }
        path
    }

    fn take(&mut self, job: &'a HistoryEntry) {
        let succeeded = match job.status {
            // Nothing was done yet, or nothing is left of it.
            JobStatus::Queued | JobStatus::RolledBack => return,
            JobStatus::Cancelled | JobStatus::Failed if job.remains == Remains::Restored => return,
            JobStatus::Succeeded => true,
            JobStatus::Running
            | JobStatus::Paused
            | JobStatus::Cancelling
            | JobStatus::Cancelled
            | JobStatus::Failed => false,
        };
        self.attempt = (!succeeded).then_some(job);
        match job.kind {
            JobKind::Deploy | JobKind::Redeploy => {
                if succeeded && self.steps.last().is_none_or(|top| top.release_id != job.release_id) {
                    self.steps.push(job);
                }
            }
            JobKind::Rollback => {
                // Even one that failed has gone down: the next goes further, never up.
                match self.steps.iter().rposition(|step| step.release_id == job.release_id) {
                    Some(at) => self.steps.truncate(at + 1),
                    None if succeeded => self.steps.push(job),
                    None => {}
                }
            }
        }
    }

    /// What runs, or was being rolled out.
    fn from(&self) -> Option<&'a HistoryEntry> {
        self.attempt.or_else(|| self.steps.last().copied())
    }

    /// The newest success below it.
    fn below(&self) -> Option<&'a HistoryEntry> {
        let from = self.from()?.release_id;
        self.steps.iter().rev().find(|step| step.release_id != from).copied()
    }

    /// The promotion that brought `from`: of a release that a rollback brought back, that of its deployment.
    fn promotion_of(&self, from: &HistoryEntry) -> Option<PromotionId> {
        let mut same = self.jobs.iter().rev().filter(|job| job.release_id == from.release_id);
        from.promotion_id.or_else(|| same.find_map(|job| job.promotion_id))
    }
}

fn last_success(jobs: &[HistoryEntry], release: ReleaseId) -> Option<&HistoryEntry> {
    let whole = jobs.iter().rev().filter(|job| job.scope == Scope::Whole);
    whole.filter(|job| job.status == JobStatus::Succeeded).find(|job| job.release_id == release)
}

/// Other releases that succeeded here, newest first.
fn older(jobs: &[HistoryEntry], than: ReleaseId) -> Vec<ReleaseId> {
    let mut found = Vec::new();
    for job in jobs.iter().rev().filter(|job| job.status == JobStatus::Succeeded && !job.blocked) {
        if job.release_id != than && !found.contains(&job.release_id) {
            found.push(job.release_id);
        }
    }
    found
}

fn never_here(jobs: &[HistoryEntry], wanted: ReleaseId) -> Error {
    Error::new(
        ErrorCode::NeverDeployedHere,
        format!("release {wanted} never succeeded in this environment, and a rollback is no way around the gates; promote it"),
    )
    .details(serde_json::json!({ "succeeded": older(jobs, wanted) }))
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
