//! The state machine of a deployment job: one table, from (status, command) to the next status.

use super::JobStatus;
use crate::error::{Error, Result};

/// What can be done to a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobCommand {
    /// Its turn has come.
    Start,
    /// A person holds it.
    Pause,
    /// A person lets it go on.
    Resume,
    /// A person stops it.
    Cancel,
    /// It came to this end.
    Finish(JobEnd),
}

/// The ends of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobEnd {
    /// Every target is done.
    Succeeded,
    /// Not well.
    Failed,
    /// Stopped, with what was done left as it is.
    Cancelled,
    /// Every changed target was put back.
    RolledBack,
}

impl JobCommand {
    /// Every command.
    pub const ALL: &'static [Self] = &[
        Self::Start,
        Self::Pause,
        Self::Resume,
        Self::Cancel,
        Self::Finish(JobEnd::Succeeded),
        Self::Finish(JobEnd::Failed),
        Self::Finish(JobEnd::Cancelled),
        Self::Finish(JobEnd::RolledBack),
    ];

    /// As messages name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cancel => "cancel",
            Self::Finish(JobEnd::Succeeded) => "succeed",
            Self::Finish(JobEnd::Failed) => "fail",
            Self::Finish(JobEnd::Cancelled) => "finish_cancel",
            Self::Finish(JobEnd::RolledBack) => "roll_back",
        }
    }
}

impl From<JobEnd> for JobStatus {
    fn from(end: JobEnd) -> Self {
        match end {
            JobEnd::Succeeded => Self::Succeeded,
            JobEnd::Failed => Self::Failed,
            JobEnd::Cancelled => Self::Cancelled,
            JobEnd::RolledBack => Self::RolledBack,
        }
    }
}

impl JobStatus {
    /// The status after `command`. An illegal move is a `STATE_CONFLICT` that lists the legal ones.
    pub fn after(self, command: JobCommand) -> Result<Self> {
        transition(self, command)
            .ok_or_else(|| Error::state_conflict("deployment job", self.as_str(), command.as_str(), &self.allowed()))
    }

    /// The commands that are legal now.
    #[must_use]
    pub fn allowed(self) -> Vec<&'static str> {
        let legal = JobCommand::ALL.iter().filter(|command| transition(self, **command).is_some());
        legal.map(|command| command.as_str()).collect()
    }

    /// Whether it has come to its end.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Cancelled | Self::RolledBack => true,
            Self::Queued | Self::Running | Self::Paused | Self::Cancelling => false,
        }
    }
}

/// The table.
fn transition(status: JobStatus, command: JobCommand) -> Option<JobStatus> {
    use JobCommand as C;
    use JobStatus as S;
    match (status, command) {
        (S::Queued, C::Start) | (S::Paused, C::Resume) => Some(S::Running),
        (S::Running, C::Pause) => Some(S::Paused),
        (S::Queued, C::Cancel) => Some(S::Cancelled),
        (S::Running | S::Paused, C::Cancel) => Some(S::Cancelling),
        (S::Queued, C::Finish(JobEnd::Failed)) => Some(S::Failed),
        (S::Running, C::Finish(end @ (JobEnd::Succeeded | JobEnd::Failed | JobEnd::RolledBack)))
        | (S::Cancelling, C::Finish(end @ (JobEnd::Cancelled | JobEnd::Failed | JobEnd::RolledBack))) => {
            Some(end.into())
        }
        (
            S::Queued
            | S::Running
            | S::Paused
            | S::Succeeded
            | S::Failed
            | S::Cancelling
            | S::Cancelled
            | S::RolledBack,
            C::Start | C::Pause | C::Resume | C::Cancel | C::Finish(_),
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    const TABLE: &[(&str, &str, &str)] = &[
        ("queued", "start", "running"),
        ("queued", "cancel", "cancelled"),
        ("queued", "fail", "failed"),
        ("running", "pause", "paused"),
        ("running", "cancel", "cancelling"),
        ("running", "succeed", "succeeded"),
        ("running", "fail", "failed"),
        ("running", "roll_back", "rolled_back"),
        ("paused", "resume", "running"),
        ("paused", "cancel", "cancelling"),
        ("cancelling", "fail", "failed"),
        ("cancelling", "finish_cancel", "cancelled"),
        ("cancelling", "roll_back", "rolled_back"),
    ];

    #[test]
    fn every_status_and_command() {
        for status in JobStatus::ALL {
            for command in JobCommand::ALL {
                let row = TABLE.iter().find(|(from, name, _)| *from == status.as_str() && *name == command.as_str());
                match (status.after(*command), row) {
                    (Ok(next), Some((_, _, to))) => assert_eq!(next.as_str(), *to),
                    (Err(error), None) => {
                        assert_eq!(error.code(), ErrorCode::StateConflict);
                        assert_eq!(error.public_details().unwrap()["allowed"], serde_json::json!(status.allowed()));
                    }
                    (got, wanted) => panic!("{status} {command:?}: {got:?}, wanted {wanted:?}"),
                }
            }
        }
    }

    #[test]
    fn terminal_states_stay() {
        for status in JobStatus::ALL {
            assert_eq!(status.is_terminal(), status.allowed().is_empty(), "{status}");
        }
    }
}
