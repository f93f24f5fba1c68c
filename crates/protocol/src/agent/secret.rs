//! How an agent gets the secrets of a task: by task and epoch, when a step needs them, kept in memory.

use serde::{Deserialize, Serialize};

use plimsoll_core::id::{IntegrationId, TaskId};

/// The body of `secret.request`. Answered only to the agent that holds the task at that epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRequest {
    /// Chosen by the agent; the answer repeats it.
    pub request_id: u64,
    /// Which task needs them.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// Which.
    pub secrets: Vec<SecretRef>,
}

/// Which secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum SecretRef {
    /// One of the environment's secret references.
    Environment {
        /// Its name.
        name: String,
    },
    /// The credentials of a registry, for the pull alone.
    Registry {
        /// The registry's integration.
        integration_id: IntegrationId,
        /// `host[:port]` that they will be sent to, as the spec names it.
        host: String,
    },
}

/// The body of `secret.value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretValue {
    /// Of the request.
    pub request_id: u64,
    /// Which task.
    pub task_id: TaskId,
    /// Of which offer.
    pub epoch: u64,
    /// One entry for each that was asked for, in the same order.
    pub values: Vec<SecretAnswer>,
}

/// One secret, or why it can't be had.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub enum SecretAnswer {
    /// A value.
    Text {
        /// The secret itself.
        value: String,
    },
    /// A registry's credentials.
    Basic {
        /// The name.
        username: String,
        /// The password or token.
        password: String,
    },
    /// None.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
}

impl std::fmt::Debug for SecretAnswer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text { .. } => f.write_str("Text(…)"),
            Self::Basic { .. } => f.write_str("Basic(…)"),
            Self::Unavailable { reason } => write!(f, "Unavailable({reason:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_never_printed() {
        let shown = format!("{:?}", SecretAnswer::Basic { username: "u".into(), password: "hunter2".into() });
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
