//! The steps of a task. Each may be done twice: the second time finds the work done.

use serde::{Deserialize, Serialize};

use plimsoll_core::{Digest, component::runtime::RestartPolicy, id::ComponentId};
use plimsoll_protocol::agent::report::StepKind;

/// What a task does, in order. Made once from the order and what was found on the target, and journaled:
/// after the first step the target looks otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Step>,
    /// What ran before, component by component.
    pub before: Vec<Before>,
}

/// What ran of one component before the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Before {
    /// Its name.
    pub component: String,
    /// Its id, where an order's spec knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component_id: Option<ComponentId>,
    /// What it ran by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", rename_all_fields = "camelCase", tag = "do")]
pub enum Step {
    /// Remove what killed tasks left.
    Clean {
        /// Containers that no finished task stands for.
        leftovers: Vec<String>,
    },
    /// Look whether all that is needed is there, before anything is changed.
    Check {
        /// The components that will be brought; the others run so already.
        bringing: Vec<String>,
        /// Containers that will be stopped before others are started: what they hold will be free.
        leaving: Vec<String>,
    },
    /// Make the networks that the spec names.
    Prepare,
    /// Pull one image by digest and verify it.
    Pull {
        /// Of which component.
        component: String,
    },
    /// Make one new instance without starting it: what it needs is still held.
    Make {
        /// Of which component.
        component: String,
        /// Which of its instances.
        instance: u16,
        /// Its container.
        name: String,
        /// Whether it answers to the component's name at once.
        alias: Alias,
    },
    /// Stop the old ones first: the new one needs what they hold.
    StopOld {
        /// Of which component.
        component: String,
        /// Which.
        old: Vec<Old>,
    },
    /// Make one new instance, unless it is made, and start it.
    Start {
        /// Of which component.
        component: String,
        /// Which of its instances.
        instance: u16,
        /// Its container.
        name: String,
        /// Whether it answers to the component's name at once.
        alias: Alias,
    },
    /// Wait until the new ones are healthy.
    Health {
        /// Of which component.
        component: String,
        /// Their containers.
        names: Vec<String>,
    },
    /// Give the new ones the component's name on its networks.
    Switch {
        /// Of which component.
        component: String,
        /// Their containers.
        names: Vec<String>,
    },
    /// Stop the old ones, which are kept.
    Retire {
        /// Of which component.
        component: String,
        /// Which.
        old: Vec<Old>,
    },
    /// Look on for a while.
    Watch {
        /// For how long.
        seconds: u32,
    },
    /// Switch the restart policies on, and write down that this set stands.
    Settle {
        /// The record of the set that stood before, as it lay there.
        previous: Option<String>,
    },
    /// Place the sticker.
    Sticker {
        /// The one that lay there.
        previous: Option<String>,
    },
    /// Remove the old ones: no way back from here.
    Discard {
        /// Their containers.
        names: Vec<String>,
    },
    /// Remove images of ours that nothing will need.
    Prune,
}

/// A container that ran before the task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Old {
    /// Its name.
    pub name: String,
    /// Whether it ran: an undo starts it again only then.
    pub was_running: bool,
    /// Its restart policy, off while the task works.
    pub restart: RestartPolicy,
    /// Seconds between the stop signal and the kill.
    pub grace_seconds: u32,
}

/// When a new container answers to its component's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alias {
    /// From its start: no old one answers to it.
    AtOnce,
    /// At the switch.
    AtSwitch,
}

impl Step {
    /// What people call it.
    #[must_use]
    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Clean { .. } => StepKind::Clean,
            Self::Check { .. } => StepKind::Check,
            Self::Prepare => StepKind::Prepare,
            Self::Pull { .. } => StepKind::Pull,
            Self::Make { .. } => StepKind::Make,
            Self::StopOld { .. } => StepKind::StopOld,
            Self::Start { .. } => StepKind::Start,
            Self::Health { .. } => StepKind::Health,
            Self::Switch { .. } => StepKind::Switch,
            Self::Retire { .. } => StepKind::Retire,
            Self::Watch { .. } => StepKind::Watch,
            Self::Settle { .. } => StepKind::Settle,
            Self::Sticker { .. } => StepKind::Sticker,
            Self::Discard { .. } => StepKind::Discard,
            Self::Prune => StepKind::Prune,
        }
    }

    /// Which component it is about.
    #[must_use]
    pub fn component(&self) -> Option<&str> {
        match self {
            Self::Pull { component }
            | Self::Make { component, .. }
            | Self::StopOld { component, .. }
            | Self::Start { component, .. }
            | Self::Health { component, .. }
            | Self::Switch { component, .. }
            | Self::Retire { component, .. } => Some(component),
            Self::Clean { .. }
            | Self::Check { .. }
            | Self::Prepare
            | Self::Watch { .. }
            | Self::Settle { .. }
            | Self::Sticker { .. }
            | Self::Discard { .. }
            | Self::Prune => None,
        }
    }

    /// Whether there is something to put back once it has begun.
    #[must_use]
    pub const fn changes_the_set(&self) -> bool {
        match self {
            Self::Make { .. }
            | Self::StopOld { .. }
            | Self::Start { .. }
            | Self::Retire { .. }
            | Self::Settle { .. }
            | Self::Sticker { .. } => true,
            Self::Clean { .. }
            | Self::Check { .. }
            | Self::Prepare
            | Self::Pull { .. }
            | Self::Health { .. }
            | Self::Switch { .. }
            | Self::Watch { .. }
            | Self::Discard { .. }
            | Self::Prune => false,
        }
    }

    /// Whether it only waits or fetches, so that it may be left in the middle.
    #[must_use]
    pub const fn may_be_left(&self) -> bool {
        matches!(self.kind(), StepKind::Check | StepKind::Pull | StepKind::Health | StepKind::Watch)
    }

    /// Whether the task can't go back any more once this has begun.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.kind(), StepKind::Discard | StepKind::Prune)
    }
}
