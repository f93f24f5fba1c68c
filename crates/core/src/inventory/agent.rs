//! Agents: our processes on or near targets.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    id::{AgentId, TaskId},
    label::Labels,
    words::words,
};

/// Our process on or near a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// For people, unique in the tenant.
    pub name: String,
    /// The host's name.
    pub hostname: String,
    /// The program's version.
    pub version: String,
    /// The version of what it speaks with the server.
    pub protocol_version: u32,
    /// Operating system.
    pub os: String,
    /// Processor architecture.
    pub arch: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Labels.
    pub labels: Labels,
    /// As last seen.
    pub status: AgentStatus,
    /// Whether it may work.
    pub enabled: bool,
    /// When it was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heartbeat_at: Option<Timestamp>,
    /// The host's means, as last told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<AgentResources>,
    /// Of the key that it signs in with.
    pub public_key_fingerprint: String,
    /// Tasks in its hands, as last told.
    pub running_tasks: Vec<TaskId>,
    /// Why it may not sign in (a copied identity), until an operator unlocks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked_reason: Option<String>,
    /// Raised by every change that a person makes.
    pub revision: i64,
    /// When it enrolled.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Something that an agent can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// `docker`, `process`, …
    pub name: String,
    /// The version of what it does it with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// How an agent does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentStatus {
    /// Heard in time.
    Online,
    /// Three beats missing, or its version is not ours.
    Degraded,
    /// Six beats missing.
    Offline,
    /// Switched off by a person.
    Disabled,
}

words!(AgentStatus, "status of an agent", {
    Online = "online",
    Degraded = "degraded",
    Offline = "offline",
    Disabled = "disabled",
});

/// One of two hosts that use one agent's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentCopy {
    /// The one that got the last token before the lock.
    Ahead,
    /// The one whose request gave the copy away.
    Behind,
}

words!(AgentCopy, "copy of an agent", { Ahead = "ahead", Behind = "behind" });

/// Missing beats after which an agent counts as degraded.
pub const DEGRADED_BEATS: i64 = 3;
/// Missing beats after which an agent counts as offline.
pub const OFFLINE_BEATS: i64 = 6;

impl AgentStatus {
    /// The status of an agent that has been silent for so long, when a beat is due every `beat_seconds`.
    #[must_use]
    pub const fn after_silence(self, silent_seconds: i64, beat_seconds: u32) -> Self {
        let beat = beat_seconds as i64;
        match self {
            Self::Disabled => Self::Disabled,
            Self::Offline => Self::Offline,
            Self::Online | Self::Degraded if silent_seconds >= OFFLINE_BEATS * beat => Self::Offline,
            Self::Online | Self::Degraded if silent_seconds >= DEGRADED_BEATS * beat => Self::Degraded,
            Self::Online => Self::Online,
            Self::Degraded => Self::Degraded,
        }
    }

    /// The status of an agent that was just heard and finds itself so.
    #[must_use]
    pub const fn after_beat(self, finds_itself: Self) -> Self {
        match self {
            Self::Disabled => Self::Disabled,
            Self::Online | Self::Degraded | Self::Offline => finds_itself,
        }
    }
}

/// The means of an agent's host, in the shape in which agents tell them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AgentResources {
    /// Processors.
    pub cpus: u32,
    /// Memory in all.
    pub memory_bytes: u64,
    /// Memory that could be used now.
    pub memory_available_bytes: u64,
    /// The disk that images and stickers lie on.
    pub disk_bytes: u64,
    /// Free on it.
    pub disk_free_bytes: u64,
    /// The load over one minute, in thousandths.
    pub load_millis: u64,
    /// The agent's clock minus the server's, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew_ms: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::AgentStatus::{self, Degraded, Disabled, Offline, Online};

    #[test]
    fn three_missing_beats_degrade_and_six_are_offline() {
        let cases = [
            (Online, 29, Online),
            (Online, 30, Degraded),
            (Online, 60, Offline),
            (Degraded, 0, Degraded),
            (Degraded, 59, Degraded),
            (Degraded, 60, Offline),
            (Offline, 0, Offline),
            (Disabled, 1000, Disabled),
        ];
        for (status, silent, expected) in cases {
            assert_eq!(status.after_silence(silent, 10), expected, "{status} after {silent} s");
        }
    }

    #[test]
    fn a_beat_brings_all_but_a_disabled_agent_back() {
        for status in AgentStatus::ALL {
            let expected = if *status == Disabled { Disabled } else { Online };
            assert_eq!(status.after_beat(Online), expected);
        }
    }
}
