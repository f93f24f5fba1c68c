//! The state machine of a promotion: one table, from (status, command) to the next status.

use super::{DecisionOutcome, PromotionStatus};
use crate::error::{Error, Result};

/// What can be done to a promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PromotionCommand {
    /// All gates were looked at, with this outcome.
    Evaluate(DecisionOutcome),
    /// What was approved changed: everything is looked at again.
    Reopen,
    /// Somebody says yes. The status follows from the evaluation after it.
    Approve,
    /// Somebody says no.
    Reject,
    /// Somebody takes it back. While deploying this asks the job to stop.
    Cancel,
    /// Its time ran out.
    Expire,
    /// A newer release took its place.
    Supersede,
    /// Its job is made.
    Start,
    /// Its job succeeded.
    Succeed,
    /// Its job ended otherwise.
    Fail,
    /// Its job put everything back, or a rollback undid it.
    RollBack,
}

impl PromotionCommand {
    /// Every command.
    pub const ALL: &'static [Self] = &[
        Self::Evaluate(DecisionOutcome::Blocked),
        Self::Evaluate(DecisionOutcome::AwaitingApproval),
        Self::Evaluate(DecisionOutcome::Scheduled),
        Self::Evaluate(DecisionOutcome::Approved),
        Self::Reopen,
        Self::Approve,
        Self::Reject,
        Self::Cancel,
        Self::Expire,
        Self::Supersede,
        Self::Start,
        Self::Succeed,
        Self::Fail,
        Self::RollBack,
    ];

    /// As messages name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Evaluate(_) => "evaluate",
            Self::Reopen => "reopen",
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Cancel => "cancel",
            Self::Expire => "expire",
            Self::Supersede => "supersede",
            Self::Start => "start",
            Self::Succeed => "succeed",
            Self::Fail => "fail",
            Self::RollBack => "roll_back",
        }
    }
}

impl PromotionStatus {
    /// The status after `command`. An illegal move is a `STATE_CONFLICT` that lists the legal ones.
    pub fn after(self, command: PromotionCommand) -> Result<Self> {
        transition(self, command)
            .ok_or_else(|| Error::state_conflict("promotion", self.as_str(), command.as_str(), &self.allowed()))
    }

    /// The commands that are legal now, each once.
    #[must_use]
    pub fn allowed(self) -> Vec<&'static str> {
        let mut names: Vec<_> = PromotionCommand::ALL
            .iter()
            .filter(|command| transition(self, **command).is_some())
            .map(|command| command.as_str())
            .collect();
        names.dedup();
        names
    }

    /// Whether it still stands before the door: nothing was started and nothing decided for good.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            Self::Evaluating | Self::Blocked | Self::AwaitingApproval | Self::Scheduled | Self::Approved => true,
            Self::Deploying
            | Self::Deployed
            | Self::Failed
            | Self::RolledBack
            | Self::Rejected
            | Self::Cancelled
            | Self::Expired
            | Self::Superseded => false,
        }
    }

    /// Whether nothing moves it any more by itself. Of these, only `deployed` and `failed` can still be
    /// rolled back.
    #[must_use]
    pub const fn is_settled(self) -> bool {
        !self.is_open() && !matches!(self, Self::Deploying)
    }
}

impl From<DecisionOutcome> for PromotionStatus {
    fn from(outcome: DecisionOutcome) -> Self {
        match outcome {
            DecisionOutcome::Blocked => Self::Blocked,
            DecisionOutcome::AwaitingApproval => Self::AwaitingApproval,
            DecisionOutcome::Scheduled => Self::Scheduled,
            DecisionOutcome::Approved => Self::Approved,
        }
    }
}

/// The table.
fn transition(status: PromotionStatus, command: PromotionCommand) -> Option<PromotionStatus> {
    use PromotionCommand as C;
    use PromotionStatus as S;
    match (status, command) {
        (S::Evaluating | S::Blocked | S::AwaitingApproval | S::Scheduled | S::Approved, C::Evaluate(outcome)) => {
            Some(outcome.into())
        }
        (S::Evaluating | S::Blocked | S::AwaitingApproval | S::Scheduled | S::Approved, C::Reopen) => {
            Some(S::Evaluating)
        }
        (S::Evaluating | S::Blocked | S::AwaitingApproval, C::Approve) => Some(status),
        (S::Evaluating | S::Blocked | S::AwaitingApproval, C::Reject) => Some(S::Rejected),
        (S::Evaluating | S::Blocked | S::AwaitingApproval | S::Scheduled | S::Approved, C::Cancel) => {
            Some(S::Cancelled)
        }
        (S::Evaluating | S::Blocked | S::AwaitingApproval | S::Scheduled | S::Approved, C::Expire) => Some(S::Expired),
        (S::Evaluating | S::Blocked | S::AwaitingApproval | S::Scheduled | S::Approved, C::Supersede) => {
            Some(S::Superseded)
        }
        (S::Approved, C::Start) | (S::Deploying, C::Cancel) => Some(S::Deploying),
        (S::Deploying, C::Succeed) => Some(S::Deployed),
        (S::Deploying, C::Fail) => Some(S::Failed),
        (S::Deploying | S::Deployed | S::Failed, C::RollBack) => Some(S::RolledBack),
        (
            S::Evaluating
            | S::Blocked
            | S::AwaitingApproval
            | S::Scheduled
            | S::Approved
            | S::Deploying
            | S::Deployed
            | S::Failed
            | S::RolledBack
            | S::Rejected
            | S::Cancelled
            | S::Expired
            | S::Superseded,
            C::Evaluate(_)
            | C::Reopen
            | C::Approve
            | C::Reject
            | C::Cancel
            | C::Expire
            | C::Supersede
            | C::Start
            | C::Succeed
            | C::Fail
            | C::RollBack,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ErrorCode;

    /// Status by status: what each command leads to. What is not listed is refused.
    fn expected(status: PromotionStatus) -> Vec<(&'static str, &'static str)> {
        let before_the_door =
            vec![("reopen", "evaluating"), ("cancel", "cancelled"), ("expire", "expired"), ("supersede", "superseded")];
        let people = |more: &mut Vec<_>| more.extend([("approve", status.as_str()), ("reject", "rejected")]);
        match status {
            PromotionStatus::Evaluating | PromotionStatus::Blocked | PromotionStatus::AwaitingApproval => {
                let mut all = before_the_door;
                people(&mut all);
                all
            }
            PromotionStatus::Scheduled => before_the_door,
            PromotionStatus::Approved => [before_the_door, vec![("start", "deploying")]].concat(),
            PromotionStatus::Deploying => {
                vec![("cancel", "deploying"), ("succeed", "deployed"), ("fail", "failed"), ("roll_back", "rolled_back")]
            }
            PromotionStatus::Deployed | PromotionStatus::Failed => vec![("roll_back", "rolled_back")],
            PromotionStatus::RolledBack
            | PromotionStatus::Rejected
            | PromotionStatus::Cancelled
            | PromotionStatus::Expired
            | PromotionStatus::Superseded => vec![],
        }
    }

    #[test]
    fn every_status_and_command() {
        for status in PromotionStatus::ALL {
            for command in PromotionCommand::ALL {
                let wanted = match command {
                    PromotionCommand::Evaluate(outcome) => status.is_open().then_some(outcome.as_str()),
                    other => expected(*status).iter().find(|(name, _)| *name == other.as_str()).map(|(_, to)| *to),
                };
                match (status.after(*command), wanted) {
                    (Ok(next), Some(wanted)) => assert_eq!(next.as_str(), wanted, "{status} {command:?}"),
                    (Err(error), None) => {
                        assert_eq!(error.code(), ErrorCode::StateConflict);
                        let details = error.public_details().unwrap();
                        assert_eq!(details["state"], status.as_str());
                        assert_eq!(details["allowed"], serde_json::json!(status.allowed()));
                    }
                    (got, wanted) => panic!("{status} {command:?}: {got:?}, wanted {wanted:?}"),
                }
            }
        }
    }

    #[test]
    fn a_settled_promotion_names_no_moves_but_going_back() {
        for status in PromotionStatus::ALL.iter().filter(|status| status.is_settled()) {
            assert!(status.allowed().iter().all(|name| *name == "roll_back"), "{status}");
        }
    }

    proptest! {
        #[test]
        fn nothing_comes_back_before_the_door(picks in prop::collection::vec(0..PromotionCommand::ALL.len(), 0..60)) {
            let mut status = PromotionStatus::Evaluating;
            let mut left = false;
            for pick in picks {
                if let Ok(next) = status.after(PromotionCommand::ALL[pick]) {
                    left |= !next.is_open();
                    prop_assert!(!(left && next.is_open()), "{status} -> {next}");
                    status = next;
                }
            }
        }
    }
}
