//! The state machine of a task: one table, from (status, command) to the next status.

use super::TaskStatus;
use crate::error::{Error, Result};

/// What can happen to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskCommand {
    /// It is offered to an agent.
    Offer,
    /// The agent began.
    Begin,
    /// The new set is up and being watched.
    Watch,
    /// It must be offered anew: the agent never took it, or is gone and fenced.
    Requeue,
    /// It worked.
    Succeed,
    /// It did not work.
    Fail,
    /// It is left out.
    Skip,
    /// It is stopped.
    Cancel,
    /// It cannot be told.
    Lose,
    /// Another task put it back.
    PutBack,
}

impl TaskCommand {
    /// Every command.
    pub const ALL: &'static [Self] = &[
        Self::Offer,
        Self::Begin,
        Self::Watch,
        Self::Requeue,
        Self::Succeed,
        Self::Fail,
        Self::Skip,
        Self::Cancel,
        Self::Lose,
        Self::PutBack,
    ];

    /// As messages name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Offer => "offer",
            Self::Begin => "begin",
            Self::Watch => "watch",
            Self::Requeue => "requeue",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::Skip => "skip",
            Self::Cancel => "cancel",
            Self::Lose => "lose",
            Self::PutBack => "put_back",
        }
    }
}

impl TaskStatus {
    /// The status after `command`. An illegal move is a `STATE_CONFLICT` that lists the legal ones.
    pub fn after(self, command: TaskCommand) -> Result<Self> {
        transition(self, command)
            .ok_or_else(|| Error::state_conflict("task", self.as_str(), command.as_str(), &self.allowed()))
    }

    /// The commands that are legal now.
    #[must_use]
    pub fn allowed(self) -> Vec<&'static str> {
        let legal = TaskCommand::ALL.iter().filter(|command| transition(self, **command).is_some());
        legal.map(|command| command.as_str()).collect()
    }

    /// Whether an agent has it, or may have it.
    #[must_use]
    pub const fn is_in_hand(self) -> bool {
        match self {
            Self::Assigned | Self::Running | Self::Verifying => true,
            Self::Pending
            | Self::Succeeded
            | Self::Failed
            | Self::RolledBack
            | Self::Skipped
            | Self::Cancelled
            | Self::Unknown => false,
        }
    }

    /// Whether it has ended. It can still be put back, and never begins again.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        !self.is_in_hand() && !matches!(self, Self::Pending)
    }
}

/// The table. A result may come before the reports that lead to it: each is delivered at least once, in
/// no order that we rely on.
fn transition(status: TaskStatus, command: TaskCommand) -> Option<TaskStatus> {
    use TaskCommand as C;
    use TaskStatus as S;
    match (status, command) {
        (S::Pending, C::Offer) => Some(S::Assigned),
        (S::Pending, C::Skip) => Some(S::Skipped),
        (S::Assigned, C::Begin) => Some(S::Running),
        (S::Assigned | S::Running, C::Watch) => Some(S::Verifying),
        (S::Assigned | S::Running | S::Verifying, C::Requeue) => Some(S::Pending),
        (S::Assigned | S::Running | S::Verifying, C::Succeed) => Some(S::Succeeded),
        (S::Pending | S::Assigned | S::Running | S::Verifying, C::Fail) => Some(S::Failed),
        (S::Pending | S::Assigned | S::Running | S::Verifying, C::Cancel) => Some(S::Cancelled),
        (S::Pending | S::Assigned | S::Running | S::Verifying, C::Lose) => Some(S::Unknown),
        (S::Succeeded, C::PutBack) => Some(S::RolledBack),
        // It keeps its story; that nothing of it is left is said beside it.
        (S::Failed | S::Cancelled | S::Unknown, C::PutBack) => Some(status),
        (
            S::Pending
            | S::Assigned
            | S::Running
            | S::Verifying
            | S::Succeeded
            | S::Failed
            | S::RolledBack
            | S::Skipped
            | S::Cancelled
            | S::Unknown,
            C::Offer
            | C::Begin
            | C::Watch
            | C::Requeue
            | C::Succeed
            | C::Fail
            | C::Skip
            | C::Cancel
            | C::Lose
            | C::PutBack,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorCode;

    /// (status, command and where it leads).
    const TABLE: &[(&str, &[(&str, &str)])] = &[
        (
            "pending",
            &[
                ("offer", "assigned"),
                ("skip", "skipped"),
                ("fail", "failed"),
                ("cancel", "cancelled"),
                ("lose", "unknown"),
            ],
        ),
        (
            "assigned",
            &[
                ("begin", "running"),
                ("watch", "verifying"),
                ("requeue", "pending"),
                ("succeed", "succeeded"),
                ("fail", "failed"),
                ("cancel", "cancelled"),
                ("lose", "unknown"),
            ],
        ),
        (
            "running",
            &[
                ("watch", "verifying"),
                ("requeue", "pending"),
                ("succeed", "succeeded"),
                ("fail", "failed"),
                ("cancel", "cancelled"),
                ("lose", "unknown"),
            ],
        ),
        (
            "verifying",
            &[
                ("requeue", "pending"),
                ("succeed", "succeeded"),
                ("fail", "failed"),
                ("cancel", "cancelled"),
                ("lose", "unknown"),
            ],
        ),
        ("succeeded", &[("put_back", "rolled_back")]),
        ("failed", &[("put_back", "failed")]),
        ("cancelled", &[("put_back", "cancelled")]),
        ("unknown", &[("put_back", "unknown")]),
        ("rolled_back", &[]),
        ("skipped", &[]),
    ];

    #[test]
    fn every_status_and_command() {
        for status in TaskStatus::ALL {
            let (_, moves) = TABLE.iter().find(|(from, _)| *from == status.as_str()).unwrap();
            for command in TaskCommand::ALL {
                let wanted = moves.iter().find(|(name, _)| *name == command.as_str());
                match (status.after(*command), wanted) {
                    (Ok(next), Some((_, to))) => assert_eq!(next.as_str(), *to),
                    (Err(error), None) => assert_eq!(error.code(), ErrorCode::StateConflict),
                    (got, wanted) => panic!("{status} {command:?}: {got:?}, wanted {wanted:?}"),
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_has_ended_never_begins_again(picks in prop::collection::vec(0..TaskCommand::ALL.len(), 0..60)) {
            let mut status = TaskStatus::Pending;
            let mut ended = false;
            for pick in picks {
                if let Ok(next) = status.after(TaskCommand::ALL[pick]) {
                    ended |= next.is_ended();
                    prop_assert!(!ended || next.is_ended(), "{status} -> {next}");
                    status = next;
                }
            }
        }
    }
}
