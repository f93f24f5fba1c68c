//! Exit codes, and which error of the API becomes which.

use std::process::ExitCode;

use plimsoll_core::{ErrorCode, error::ErrorKind};

/// How a command ended. Scripts rely on the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All went well.
    Ok = 0,
    /// Something unexpected, or a check that says no.
    Unexpected = 1,
    /// The command or its input is wrong.
    Usage = 2,
    /// A gate or an approver says no.
    Denied = 3,
    /// Not signed in, or not allowed.
    Forbidden = 4,
    /// The work was done and failed.
    WorkFailed = 5,
    /// The time to wait ran out; the work goes on.
    TimedOut = 6,
    /// What is there differs from what was declared.
    Differs = 7,
    /// It waits for approval.
    AwaitsApproval = 8,
    /// Something else has happened meanwhile.
    Conflict = 9,
    /// The server cannot be reached (`EX_UNAVAILABLE`).
    Unreachable = 69,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The exit code for an error of the API.
    #[must_use]
    pub const fn of(code: ErrorCode) -> Self {
        match code {
            ErrorCode::PromotionBlocked
            | ErrorCode::FreezeActive
            | ErrorCode::ApproverNotEligible
            | ErrorCode::SeparationOfDuties
            | ErrorCode::ReleaseDeprecated => return Self::Denied,
            _ => {}
        }
        match code.kind() {
            ErrorKind::Invalid
            | ErrorKind::MethodNotAllowed
            | ErrorKind::TooLarge
            | ErrorKind::UnsupportedMedia
            | ErrorKind::NotFound => Self::Usage,
            ErrorKind::Unauthenticated | ErrorKind::Forbidden => Self::Forbidden,
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Throttled | ErrorKind::Unavailable => Self::Unreachable,
            ErrorKind::Unprocessable | ErrorKind::Internal => Self::Unexpected,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_promised() {
        let promised = [
            (Exit::Ok, 0),
            (Exit::Unexpected, 1),
            (Exit::Usage, 2),
            (Exit::Denied, 3),
            (Exit::Forbidden, 4),
            (Exit::WorkFailed, 5),
            (Exit::TimedOut, 6),
            (Exit::Differs, 7),
            (Exit::AwaitsApproval, 8),
            (Exit::Conflict, 9),
            (Exit::Unreachable, 69),
            (Exit::Interrupted, 130),
        ];
        for (exit, number) in promised {
            assert_eq!(exit as u8, number, "{exit:?}");
        }
    }

    #[test]
    fn a_refusal_by_people_or_gates_is_not_a_missing_permission() {
        assert_eq!(Exit::of(ErrorCode::SeparationOfDuties), Exit::Denied);
        assert_eq!(Exit::of(ErrorCode::PromotionBlocked), Exit::Denied);
        assert_eq!(Exit::of(ErrorCode::PermissionDenied), Exit::Forbidden);
        assert_eq!(Exit::of(ErrorCode::Unauthenticated), Exit::Forbidden);
        assert_eq!(Exit::of(ErrorCode::VersionMismatch), Exit::Conflict);
        assert_eq!(Exit::of(ErrorCode::ValidationFailed), Exit::Usage);
        assert_eq!(Exit::of(ErrorCode::Unavailable), Exit::Unreachable);
    }
}
