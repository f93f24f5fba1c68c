//! Deployment strategies: in which order and at what risk the targets get a release.

use std::{fmt, num::NonZeroU32, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How a job goes over its targets, told apart by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Strategy {
    /// All targets in one batch.
    #[schema(rename_all = "camelCase")]
    AllAtOnce {
        /// The job goes on while no more tasks than this have failed.
        #[serde(default)]
        max_failures: u32,
        /// What happens when more have failed.
        #[serde(default)]
        failure_policy: FailurePolicy,
        /// What happens to targets that cannot be reached.
        #[serde(default)]
        offline_targets: OfflineTargets,
        /// How long a component is watched after it became healthy.
        #[serde(default)]
        watch_seconds: u32,
    },
    /// Batch after batch.
    #[schema(rename_all = "camelCase")]
    Rolling {
        /// Targets in a batch.
        batch_size: BatchSize,
        /// The wait between two batches.
        #[serde(default)]
        pause_seconds: u32,
        /// The target label whose value orders the targets; their names when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        order_by_label: Option<String>,
        /// The job goes on while no more tasks than this have failed.
        #[serde(default)]
        max_failures: u32,
        /// What happens when more have failed.
        #[serde(default)]
        failure_policy: FailurePolicy,
        /// What happens to targets that cannot be reached.
        #[serde(default)]
        offline_targets: OfflineTargets,
        /// How long a component is watched after it became healthy.
        #[serde(default)]
        watch_seconds: u32,
    },
}

impl Default for Strategy {
    /// One target after the other, put back at the first failure.
    fn default() -> Self {
        Self::Rolling {
            batch_size: BatchSize::Count(NonZeroU32::MIN),
            pause_seconds: 0,
            order_by_label: None,
            max_failures: 0,
            failure_policy: FailurePolicy::default(),
            offline_targets: OfflineTargets::default(),
            watch_seconds: 0,
        }
    }
}

impl Strategy {
    /// How many tasks may fail before the failure policy acts.
    #[must_use]
    pub const fn max_failures(&self) -> u32 {
        match self {
            Self::AllAtOnce { max_failures, .. } | Self::Rolling { max_failures, .. } => *max_failures,
        }
    }

    /// What happens when more have failed.
    #[must_use]
    pub const fn failure_policy(&self) -> FailurePolicy {
        match self {
            Self::AllAtOnce { failure_policy, .. } | Self::Rolling { failure_policy, .. } => *failure_policy,
        }
    }

    /// What happens to targets that cannot be reached.
    #[must_use]
    pub const fn offline_targets(&self) -> OfflineTargets {
        match self {
            Self::AllAtOnce { offline_targets, .. } | Self::Rolling { offline_targets, .. } => *offline_targets,
        }
    }

    /// How long a component is watched after it became healthy.
    #[must_use]
    pub const fn watch_seconds(&self) -> u32 {
        match self {
            Self::AllAtOnce { watch_seconds, .. } | Self::Rolling { watch_seconds, .. } => *watch_seconds,
        }
    }

    /// The wait between two batches.
    #[must_use]
    pub const fn pause_seconds(&self) -> u32 {
        match self {
            Self::AllAtOnce { .. } => 0,
            Self::Rolling { pause_seconds, .. } => *pause_seconds,
        }
    }
}

/// What a job does when more tasks failed than `maxFailures` allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailurePolicy {
    /// Put back every target that was changed, in reverse order.
    #[default]
    Rollback,
    /// Leave everything as it is.
    Stop,
}

/// What a job does with a target that cannot be reached, told apart by `policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "policy", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum OfflineTargets {
    /// Its task fails and the job ends `failed`, but nothing is held up or put back for it: it does not count
    /// against `maxFailures`.
    Fail {},
    /// It is skipped and listed; it does not count as a failure.
    Skip {},
    /// The job waits for it that long at its turn, then skips it.
    #[schema(rename_all = "camelCase")]
    Wait {
        /// How long.
        wait_seconds: u32,
    },
}

impl Default for OfflineTargets {
    fn default() -> Self {
        Self::Fail {}
    }
}

/// The size of a batch: `3`, or `"25%"` of the targets, rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BatchSize {
    /// So many targets.
    Count(NonZeroU32),
    /// That share of all targets, 1 to 100.
    Percent(u8),
}

impl BatchSize {
    /// Targets in a batch when there are `targets` in all: rounded up, at least 1.
    #[must_use]
    pub fn of(self, targets: usize) -> usize {
        match self {
            Self::Count(count) => count.get() as usize,
            Self::Percent(percent) => (targets * usize::from(percent)).div_ceil(100).max(1),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl FromStr for BatchSize {
    type Err = crate::Error;

    /// `3` or `25%`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let size = match text.strip_suffix('%') {
            Some(share) => share.parse().ok().filter(|share| (1..=100).contains(share)).map(Self::Percent),
            None => text.parse().ok().map(Self::Count),
        };
        size.ok_or_else(|| crate::Error::field("batchSize", "batch_size", EXPECTED))
    }
}

const EXPECTED: &str = "must be a whole number from 1, or a share such as \"25%\" from 1% to 100%";

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = BatchSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number from 1, or a share such as \"25%\"")
            }
            fn visit_u64<E: serde::de::Error>(self, count: u64) -> Result<BatchSize, E> {
                let count = u32::try_from(count).ok().and_then(NonZeroU32::new);
                count.map(BatchSize::Count).ok_or_else(|| E::custom(EXPECTED))
            }
            fn visit_i64<E: serde::de::Error>(self, count: i64) -> Result<BatchSize, E> {
                self.visit_u64(u64::try_from(count).map_err(|_| E::custom(EXPECTED))?)
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<BatchSize, E> {
                // A share only: a number in quotes would be a second spelling of the same size.
                if text.ends_with('%') {
                    text.parse().map_err(|_| E::custom(EXPECTED))
                } else {
                    Err(E::custom(EXPECTED))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl utoipa::ToSchema for BatchSize {
    fn name() -> std::borrow::Cow<'static, str> {
        "BatchSize".into()
    }
}

impl utoipa::PartialSchema for BatchSize {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
        let count = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).maximum(Some(u32::MAX));
        let share = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^([1-9][0-9]?|100)%$"));
        let sizes = OneOfBuilder::new().item(count).item(share).build();
        utoipa::openapi::schema::Schema::from(sizes).into()
    }
}
