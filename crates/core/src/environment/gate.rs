//! The gates of an environment: which checks a promotion passes at its door.

use serde::{Deserialize, Serialize};

use crate::words::words;

/// One gate with its configuration, told apart by `type`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum GateDefinition {
    /// No freeze window is active.
    FreezeWindow {},
    /// The release was deployed in the environments before this one and not rolled back since.
    PromotionPath {},
    /// It ran there long enough (the environment's `soakSeconds`).
    SoakTime {},
    /// The release is ready and not blocked.
    ReleaseStatus {},
    /// The people who must agree have agreed (the approval policies in force).
    Approval {},
}

/// The kinds of gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateType {
    /// See [`GateDefinition::FreezeWindow`].
    FreezeWindow,
    /// See [`GateDefinition::PromotionPath`].
    PromotionPath,
    /// See [`GateDefinition::SoakTime`].
    SoakTime,
    /// See [`GateDefinition::ReleaseStatus`].
    ReleaseStatus,
    /// See [`GateDefinition::Approval`].
    Approval,
}

words!(GateType, "gate", {
    FreezeWindow = "freeze_window",
    PromotionPath = "promotion_path",
    SoakTime = "soak_time",
    ReleaseStatus = "release_status",
    Approval = "approval",
});

impl GateDefinition {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> GateType {
        match self {
            Self::FreezeWindow {} => GateType::FreezeWindow,
            Self::PromotionPath {} => GateType::PromotionPath,
            Self::SoakTime {} => GateType::SoakTime,
            Self::ReleaseStatus {} => GateType::ReleaseStatus,
            Self::Approval {} => GateType::Approval,
        }
    }
}
