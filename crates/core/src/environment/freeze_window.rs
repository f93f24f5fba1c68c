//! The freeze window as people see it. When it is active is computed in `environment::freeze`.

use serde::{Deserialize, Serialize};

use crate::{
    Timestamp,
    actor::Actor,
    id::{EnvironmentId, FreezeWindowId, UserId},
    words::words,
};

/// A time in which nothing is promoted into an environment, once or again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeWindow {
    /// Its id.
    pub id: FreezeWindowId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// For people.
    pub name: String,
    /// Why nothing may be promoted.
    pub reason: String,
    /// The beginning. A recurring window recurs from here on, each time at this time of day.
    pub starts_at: Timestamp,
    /// The end of a window that happens once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
    /// RFC 5545 RRULE such as `FREQ=WEEKLY;BYDAY=FR`, counted in `timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrence: Option<String>,
    /// Wall-clock length of each occurrence: 22:00 + 480 ends at 06:00 also when the clock changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_minutes: Option<u32>,
    /// IANA name of the zone in which the window recurs.
    pub timezone: String,
    /// Who may ask for an override while it is active.
    pub exemptions: Exemptions,
    /// Whether it is active now (computed).
    pub active: bool,
    /// Whether it is over, active now, or comes (again) later (computed).
    #[serde(default)]
    pub when: When,
    /// The next beginnings and ends, at most five (computed).
    pub next_occurrences: Vec<Occurrence>,
    /// Who made it.
    pub created_by: Actor,
    /// Raised by every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Where a freeze window stands. One that recurs is coming between its occurrences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = FreezeWindowWhen)]
pub enum When {
    /// It is over, or was deleted.
    #[default]
    Past,
    /// An occurrence covers this instant.
    Active,
    /// None does now, and one will.
    Coming,
}

words!(When, "when", {
    Past = "past",
    Active = "active",
    Coming = "coming",
});

/// Who may ask for an override of a freeze.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Exemptions {
    /// Names of roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Users.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<UserId>,
}

/// One time that a window is active: from `startsAt` until just before `endsAt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Occurrence {
    /// The first instant.
    pub starts_at: Timestamp,
    /// The first instant after it.
    pub ends_at: Timestamp,
}
