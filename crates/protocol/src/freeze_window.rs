//! Request bodies of freeze windows.

use garde::Validate;
use plimsoll_core::{
    Timestamp,
    environment::{Exemptions, freeze},
    rules,
};
use serde::{Deserialize, Serialize};

use crate::environment::check_zone;

/// The body of `POST /environments/{envId}/freeze-windows`: `endsAt` for once, or `recurrence` with
/// `durationMinutes` for again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Validate, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateFreezeWindow {
    /// For people.
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), custom(rules::plain))]
    pub name: String,
    /// Why nothing may be promoted.
    #[garde(length(min = 1, max = rules::DESCRIPTION))]
    pub reason: String,
    /// The beginning. A recurring window recurs from here on, each time at this time of day.
    #[garde(skip)]
    pub starts_at: Timestamp,
    /// The end of a window that happens once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(skip)]
    pub ends_at: Option<Timestamp>,
    /// RFC 5545 RRULE such as `FREQ=WEEKLY;BYDAY=FR`, counted in `timezone`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(min = 1, max = freeze::MAX_RULE))]
    pub recurrence: Option<String>,
    /// Wall-clock length of each occurrence; at most 31 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(range(min = 1, max = freeze::MAX_DURATION_MINUTES))]
    pub duration_minutes: Option<u32>,
    /// IANA name of the zone; the environment's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[garde(length(max = 64), inner(custom(check_zone)))]
    pub timezone: Option<String>,
    /// Who may ask for an override while it is active.
    #[serde(default)]
    #[garde(custom(check_exemptions))]
    pub exemptions: Exemptions,
}

impl CreateFreezeWindow {
    /// The window's times, checked as a whole: exactly one of `endsAt` and `recurrence`, and an end after
    /// the beginning. `default_zone` is the environment's.
    pub fn schedule(&self, default_zone: &str) -> plimsoll_core::Result<freeze::Schedule> {
        freeze::Schedule::new(
            self.starts_at,
            self.ends_at,
            self.recurrence.as_deref(),
            self.duration_minutes,
            self.timezone.as_deref().unwrap_or(default_zone),
        )
    }
}

fn check_exemptions(exemptions: &Exemptions, (): &()) -> garde::Result {
    rules::ensure(
        exemptions.roles.len() <= 50 && exemptions.users.len() <= 50,
        "must be at most 50 roles and 50 users",
    )?;
    rules::ensure(exemptions.roles.iter().all(|role| role.len() <= 63), "must have names of at most 63 bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(json: serde_json::Value) -> CreateFreezeWindow {
        let mut whole =
            serde_json::json!({"name": "nights", "reason": "backup", "startsAt": "2026-01-01T22:00:00+01:00"});
        whole.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn a_window_happens_once_or_again_and_again() {
        let nights = body(serde_json::json!({"recurrence": "FREQ=DAILY", "durationMinutes": 480}));
        assert!(nights.validate().is_ok());
        let schedule = nights.schedule("Europe/Berlin").unwrap();
        assert!(schedule.active("2026-05-05T01:00:00Z".parse().unwrap()).unwrap().is_some());
        assert!(body(serde_json::json!({"endsAt": "2026-01-02T00:00:00Z"})).schedule("UTC").is_ok());
        assert!(body(serde_json::json!({})).schedule("UTC").is_err());
    }

    #[test]
    fn wrong_fields_are_named() {
        for (json, field) in [
            (serde_json::json!({"timezone": "Mars/Olympus"}), "timezone"),
            (serde_json::json!({"durationMinutes": 44_641}), "duration_minutes"),
            (serde_json::json!({"recurrence": "X".repeat(501)}), "recurrence"),
            (serde_json::json!({"exemptions": {"roles": ["x".repeat(64)]}}), "exemptions"),
            (serde_json::json!({"reason": ""}), "reason"),
        ] {
            let said = body(json.clone()).validate().unwrap_err().to_string();
            assert!(said.contains(field), "{json}: {said}");
        }
    }
}
