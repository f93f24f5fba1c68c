//! Time zones and wall clocks. The zone data is in the program, so that every machine counts alike.

use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};

use crate::{
    Timestamp,
    error::{Error, Result},
};

/// An IANA time zone.
#[derive(Clone, Debug)]
pub struct Zone(TimeZone);

/// What a clock on the wall shows: microseconds since 1970-01-01T00:00:00 on that clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wall(i64);

/// Which side of a span an instant stands for.
#[derive(Clone, Copy)]
enum Edge {
    Begin,
    End,
}

impl Wall {
    /// From whole seconds.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// The same clock that many minutes later.
    #[must_use]
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0.saturating_add(minutes.saturating_mul(60_000_000)))
    }

    /// Without the fraction of a second.
    #[must_use]
    pub const fn floor_to_seconds(self) -> Self {
        Self(self.0.div_euclid(1_000_000) * 1_000_000)
    }

    /// Whole seconds since 1970-01-01T00:00:00.
    pub(crate) const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The year and the month (1 to 12).
    pub(crate) fn year_and_month(self) -> (i64, i64) {
        let civil = self.civil();
        (i64::from(civil.year()), i64::from(civil.month()))
    }

    /// Midnight at the beginning of a month; `None` beyond the calendar.
    pub(crate) fn first_of_month(year: i64, month: i64) -> Option<Self> {
        let date = jiff::civil::Date::new(i16::try_from(year).ok()?, i8::try_from(month).ok()?, 1).ok()?;
        Self::of(date.at(0, 0, 0, 0))
    }

    /// `YYYYMMDDTHHMMSS`, as RFC 5545 writes local times.
    #[must_use]
    pub fn basic_format(self) -> String {
        self.civil().strftime("%Y%m%dT%H%M%S").to_string()
    }

    fn civil(self) -> jiff::civil::DateTime {
        Timestamp::from_micros(self.0).to_jiff().to_zoned(TimeZone::UTC).datetime()
    }

    fn of(civil: jiff::civil::DateTime) -> Option<Self> {
        let zoned = civil.to_zoned(TimeZone::UTC).ok()?;
        Some(Self(zoned.timestamp().as_microsecond()))
    }

    /// Reads `YYYYMMDDTHHMMSS`, or `YYYYMMDD` as the end of that day.
    pub(crate) fn parse_basic(text: &str) -> Option<Self> {
        if text.len() == 8 {
            let date = jiff::civil::Date::strptime("%Y%m%d", text).ok()?;
            return Self::of(date.at(23, 59, 59, 0));
        }
        Self::of(jiff::civil::DateTime::strptime("%Y%m%dT%H%M%S", text).ok()?)
    }
}

impl Zone {
    /// The zone of an IANA name such as `Europe/Berlin`, exactly as the database spells it.
    pub fn named(name: &str) -> Result<Self> {
        let found = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| zone.iana_name() == Some(name));
        found.map(Self).ok_or_else(|| {
            let shown: String = name.chars().take(64).collect();
            Error::field("timezone", "timezone", format!("{shown:?} is not an IANA time zone such as Europe/Berlin"))
        })
    }

    /// What a clock on a wall in this zone shows at that instant.
    #[must_use]
    pub fn wall(&self, at: Timestamp) -> Wall {
        Wall::of(at.to_jiff().to_zoned(self.0.clone()).datetime()).unwrap_or(Wall(at.as_micros()))
    }

    /// The first instant at which the clock shows `wall` or later: the earlier one where it shows that
    /// twice, the jump where it skips it. `None` beyond the calendar.
    #[must_use]
    pub fn begins(&self, wall: Wall) -> Option<Timestamp> {
        self.instant(wall, Edge::Begin)
    }

    /// The first instant from which on the clock never shows a time before `wall` again: the later one
    /// where it shows that twice, the jump where it skips it. `None` beyond the calendar.
    #[must_use]
    pub fn ends(&self, wall: Wall) -> Option<Timestamp> {
        self.instant(wall, Edge::End)
    }

    fn instant(&self, wall: Wall, edge: Edge) -> Option<Timestamp> {
        let ambiguous = self.0.to_ambiguous_timestamp(wall.civil());
        let at = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => ambiguous.compatible().ok()?,
            AmbiguousOffset::Fold { .. } => match edge {
                Edge::Begin => ambiguous.earlier().ok()?,
                Edge::End => ambiguous.later().ok()?,
            },
            AmbiguousOffset::Gap { .. } => {
                let before = ambiguous.earlier().ok()?;
                self.0.following(before).next()?.timestamp()
            }
        };
        Some(Timestamp::from_jiff(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(text: &str) -> Wall {
        Wall::parse_basic(text).unwrap()
    }

    #[test]
    fn every_name_has_one_spelling() {
        for good in ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"] {
            assert!(Zone::named(good).is_ok(), "{good}");
        }
        for bad in ["", "europe/berlin", "CEST", "+02:00", "Mars/Olympus", "../../etc/passwd"] {
            assert!(Zone::named(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_skipped_time_is_the_jump_and_a_doubled_one_has_two_instants() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        let jump: Timestamp = "2026-03-29T01:00:00Z".parse().unwrap();
        assert_eq!(berlin.begins(wall("20260329T023000")), Some(jump));
        assert_eq!(berlin.ends(wall("20260329T023000")), Some(jump));
        assert_eq!(berlin.begins(wall("20261025T023000")), "2026-10-25T00:30:00Z".parse().ok());
        assert_eq!(berlin.ends(wall("20261025T023000")), "2026-10-25T01:30:00Z".parse().ok());
        assert_eq!(berlin.begins(wall("20260701T120000")), "2026-07-01T10:00:00Z".parse().ok());
    }

    #[test]
    fn the_wall_shows_the_zones_time() {
        let kolkata = Zone::named("Asia/Kolkata").unwrap();
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(kolkata.wall(at).basic_format(), "20260101T053000");
        assert_eq!(kolkata.wall(at), wall("20260101T053000"));
    }
}
