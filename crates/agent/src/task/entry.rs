//! What a task's journal holds: everything that a restarted agent must know.

use serde::{Deserialize, Serialize};

use plimsoll_core::Timestamp;
use plimsoll_protocol::agent::{
    order::TaskOffer,
    report::{TaskError, TaskErrorCode, TaskResult},
};

use super::step::Plan;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "entry")]
pub enum Entry {
    /// An offer, verified. A later one of the same task replaces epoch, sticker and hints.
    Offered {
        /// As it came.
        offer: TaskOffer,
        /// When.
        at: Timestamp,
    },
    /// What will be done.
    Planned {
        /// The plan.
        plan: Plan,
    },
    /// No plan could be made; nothing was changed.
    NotPlanned {
        /// Why.
        error: TaskError,
    },
    /// A step is about to be done.
    Began {
        /// Its place in the plan.
        index: usize,
        /// When.
        at: Timestamp,
    },
    /// A step is done.
    Done {
        /// Its place in the plan.
        index: usize,
        /// Since when the component is healthy, where the step was to wait for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        healthy_since: Option<Timestamp>,
    },
    /// A step failed: what was changed is put back.
    Failed {
        /// Its place in the plan.
        index: usize,
        /// Why.
        error: TaskError,
    },
    /// The task is stopped from outside: what was changed is put back.
    Stopped {
        /// Why.
        reason: StopReason,
    },
    /// A step is about to be undone.
    UndoBegan {
        /// Its place in the plan.
        index: usize,
    },
    /// A step is undone.
    Undone {
        /// Its place in the plan.
        index: usize,
        /// When; for a stop of the old ones, when they answered again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
    /// A step can't be undone; the others still are.
    NotUndone {
        /// Its place in the plan.
        index: usize,
        /// Why.
        error: TaskError,
    },
    /// Somebody with a higher epoch rules the target: hands off.
    Fenced {
        /// What was found.
        error: TaskError,
    },
    /// The end, as it is reported.
    Finished {
        /// The report.
        result: TaskResult,
    },
}

/// Why a task is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The server cancelled it.
    Cancelled,
    /// The server says that it is no longer this agent's.
    Revoked,
    /// A newer task for the same application is here.
    Superseded,
    /// The lease ran out.
    LeaseLost,
    /// It took too long.
    DeadlineExceeded,
    /// It was begun again too often.
    TooManyRestarts,
}

impl StopReason {
    /// As the result says it.
    #[must_use]
    pub fn error(self) -> TaskError {
        match self {
            Self::Cancelled => TaskError::new(TaskErrorCode::Cancelled, "the task was cancelled"),
            Self::Revoked => {
                TaskError::new(TaskErrorCode::Cancelled, "the server gave the task up while the agent was away")
            }
            Self::Superseded => {
                TaskError::new(TaskErrorCode::Cancelled, "a newer task for the same application took its place")
            }
            Self::LeaseLost => TaskError::new(
                TaskErrorCode::LeaseLost,
                "the agent's lease ran out before the new set was healthy, so the old one was put back",
            )
            .hint("look at the link between agent and server, then deploy again"),
            Self::DeadlineExceeded => {
                TaskError::new(TaskErrorCode::DeadlineExceeded, "the task took longer than its deadline")
                    .hint("raise the deadline, or look in the log for the step that was slow")
            }
            Self::TooManyRestarts => TaskError::new(
                TaskErrorCode::AgentDefect,
                "the agent was restarted too often in the middle of this task",
            )
            .hint("look in the agent's log for what ends it"),
        }
    }

    /// Whether somebody wanted it so.
    #[must_use]
    pub const fn is_cancel(self) -> bool {
        match self {
            Self::Cancelled | Self::Revoked | Self::Superseded => true,
            Self::LeaseLost | Self::DeadlineExceeded | Self::TooManyRestarts => false,
        }
    }
}
