//! When a freeze window is active.

use super::{FreezeWindow, Occurrence, When, recurrence::Rule};
use crate::{
    Timestamp,
    error::{Error, Result},
    zone::Zone,
};

pub use super::recurrence::MAX_RULE;

/// The longest occurrence: 31 days.
pub const MAX_DURATION_MINUTES: u32 = 31 * 24 * 60;
/// More than any clock was ever changed by: a day, where the date line moved.
const CLOCK_CHANGE_MINUTES: i64 = 2 * 24 * 60;
/// How many occurrences to come a window shows.
pub const SHOWN: usize = 5;

/// Whether there is an IANA time zone of this name.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    Zone::named(name).is_ok()
}

/// The times of a freeze window.
#[derive(Clone, Debug)]
pub struct Schedule(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Once(Occurrence),
    Recurring(Box<Recurring>),
}

#[derive(Clone, Debug)]
struct Recurring {
    zone: Zone,
    rule: Rule,
    minutes: i64,
}

/// What of a window matters at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sighting {
    /// The occurrence that covers the instant; the one that ends last, where several do.
    pub active: Option<Occurrence>,
    /// The next beginnings after it.
    pub next: Vec<Occurrence>,
}

impl Schedule {
    /// The times as given: an end, or a rule with a duration on the wall clock of `timezone`.
    pub fn new(
        starts_at: Timestamp,
        ends_at: Option<Timestamp>,
        recurrence: Option<&str>,
        duration_minutes: Option<u32>,
        timezone: &str,
    ) -> Result<Self> {
        let zone = Zone::named(timezone)?;
        match (ends_at, recurrence, duration_minutes) {
            (Some(ends_at), None, None) if ends_at > starts_at => {
                Ok(Self(Kind::Once(Occurrence { starts_at, ends_at })))
            }
            (Some(_), None, None) => Err(Error::field("endsAt", "order", "must be after startsAt")),
            (None, Some(rule), Some(minutes)) if (1..=MAX_DURATION_MINUTES).contains(&minutes) => {
                let rule = Rule::parse(rule, zone.wall(starts_at).floor_to_seconds())?;
                Ok(Self(Kind::Recurring(Box::new(Recurring { zone, rule, minutes: i64::from(minutes) }))))
            }
            (None, Some(_), Some(_)) => Err(Error::field("durationMinutes", "range", "must be 1 to 44640 (31 days)")),
            (None, Some(_), None) => {
                Err(Error::field("durationMinutes", "required", "say how long each occurrence of the recurrence lasts"))
            }
            (Some(_), _, _) => {
                Err(Error::field("endsAt", "conflict", "give endsAt, or recurrence with durationMinutes, not both"))
            }
            (None, None, _) => {
                Err(Error::field("endsAt", "required", "give endsAt, or recurrence with durationMinutes"))
            }
        }
    }

    /// The times of a stored window.
    pub fn of(window: &FreezeWindow) -> Result<Self> {
        Self::new(
            window.starts_at,
            window.ends_at,
            window.recurrence.as_deref(),
            window.duration_minutes,
            &window.timezone,
        )
    }

    /// Whether an occurrence covers `at`, and at most `count` later beginnings.
    pub fn around(&self, at: Timestamp, count: usize) -> Result<Sighting> {
        match &self.0 {
            Kind::Once(only) => {
                let mut seen = Sighting::default();
                seen.take(*only, at, count);
                Ok(seen)
            }
            Kind::Recurring(recurring) => recurring.around(at, count),
        }
    }

    /// The occurrence that covers `at`.
    pub fn active(&self, at: Timestamp) -> Result<Option<Occurrence>> {
        Ok(self.around(at, 0)?.active)
    }
}

impl Recurring {
    fn around(&self, at: Timestamp, count: usize) -> Result<Sighting> {
        let mut seen = Sighting::default();
        // What began more than its own length and the largest change of a clock ago is over.
        let from = self.zone.wall(at).plus_minutes(-self.minutes - CLOCK_CHANGE_MINUTES);
        for beginning in self.rule.beginnings(&self.zone, from) {
            let (wall, starts_at) = beginning?;
            if starts_at > at && seen.next.len() >= count {
                break;
            }
            let Some(ends_at) = self.zone.ends(wall.plus_minutes(self.minutes)) else { break };
            // A window that lies wholly in the hour that the clock skips has no length.
            if ends_at > starts_at {
                seen.take(Occurrence { starts_at, ends_at }, at, count);
            }
        }
        Ok(seen)
    }
}

impl Sighting {
    fn take(&mut self, one: Occurrence, at: Timestamp, count: usize) {
        if one.starts_at > at {
            if self.next.len() < count {
                self.next.push(one);
            }
        } else if one.ends_at > at && self.active.is_none_or(|other| other.ends_at < one.ends_at) {
            self.active = Some(one);
        }
    }
}

impl FreezeWindow {
    /// Fills in what is computed for `now`. A window that can't be computed is shown as active, so that
    /// nobody takes it for harmless; its gate says why.
    #[must_use]
    pub fn seen_at(mut self, now: Timestamp) -> Self {
        let seen = match self.deleted_at {
            None => Schedule::of(&self).and_then(|schedule| schedule.around(now, SHOWN)).ok(),
            // It freezes nothing any more.
            Some(_) => Some(Sighting::default()),
        };
        self.active = seen.as_ref().is_none_or(|seen| seen.active.is_some());
        self.next_occurrences = seen.map(|seen| seen.next).unwrap_or_default();
        self.when = match (self.active, self.next_occurrences.is_empty()) {
            (true, _) => When::Active,
            (false, false) => When::Coming,
            (false, true) => When::Past,
        };
        self
    }

    /// Whether it is active at `now` or begins within `seconds`.
    pub fn is_imminent(&self, now: Timestamp, seconds: i64) -> Result<bool> {
        let seen = Schedule::of(self)?.around(now, 1)?;
        let soon = seen.next.first().is_some_and(|next| next.starts_at <= now.plus_seconds(seconds));
        Ok(seen.active.is_some() || soon)
    }
}

#[cfg(test)]
#[path = "freeze_tests.rs"]
mod tests;
