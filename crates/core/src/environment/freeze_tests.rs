//! Freeze windows over the nights when the clock changes.

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn recurring(start: &str, rule: &str, minutes: u32, zone: &str) -> Schedule {
    Schedule::new(at(start), None, Some(rule), Some(minutes), zone).unwrap()
}

/// 22:00 to 06:00 every night.
fn nights(zone: &str, start: &str) -> Schedule {
    recurring(start, "FREQ=DAILY", 480, zone)
}

#[test]
fn eight_hours_from_ten_end_at_six_whatever_the_clock_does() {
    let berlin = nights("Europe/Berlin", "2026-01-01T22:00:00+01:00");
    let new_york = nights("America/New_York", "2026-01-01T22:00:00-05:00");
    // (schedule, an instant inside, beginning, end): a plain night, spring forward (7 h), fall back (9 h).
    let cases = [
        (&berlin, "2026-02-10T23:00:00Z", "2026-02-10T22:00:00+01:00", "2026-02-11T06:00:00+01:00"),
        (&berlin, "2026-03-29T01:30:00Z", "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00"),
        (&berlin, "2026-10-25T01:30:00Z", "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00"),
        (&new_york, "2026-03-08T07:30:00Z", "2026-03-07T22:00:00-05:00", "2026-03-08T06:00:00-04:00"),
        (&new_york, "2026-11-01T06:30:00Z", "2026-10-31T22:00:00-04:00", "2026-11-01T06:00:00-05:00"),
    ];
    for (schedule, inside, begins, ends) in cases {
        let expected = Occurrence { starts_at: at(begins), ends_at: at(ends) };
        assert_eq!(schedule.active(at(inside)).unwrap(), Some(expected), "{inside}");
        assert_eq!(schedule.active(at(begins)).unwrap(), Some(expected), "the first instant is in");
        assert_eq!(schedule.active(at(begins).plus_seconds(-1)).unwrap(), None, "before {begins}");
        assert_eq!(schedule.active(at(ends)).unwrap(), None, "the end is out");
        assert_eq!(schedule.active(at(ends).plus_seconds(-1)).unwrap(), Some(expected), "just before {ends}");
    }
}

#[test]
fn no_night_of_a_year_is_lost() {
    for (zone, start) in
        [("Europe/Berlin", "2026-01-01T02:30:00+01:00"), ("America/New_York", "2026-01-01T02:30:00-05:00")]
    {
        let schedule = recurring(start, "FREQ=DAILY", 60, zone);
        let seen = schedule.around(at(start).plus_seconds(-1), 365).unwrap();
        assert_eq!(seen.next.len(), 365);
        let days = seen.next.windows(2).map(|pair| pair[1].starts_at.seconds_since(pair[0].starts_at));
        assert!(days.clone().all(|length| (23 * 3600..=25 * 3600).contains(&length)), "{zone}");
    }
}

#[test]
fn a_time_that_the_clock_skips_is_the_jump() {
    // 02:30 does not exist on 2026-03-29 in Berlin: the clock goes from 02:00 to 03:00 at 01:00Z.
    let schedule = recurring("2026-03-28T02:30:00+01:00", "FREQ=DAILY", 120, "Europe/Berlin");
    let expected = Occurrence { starts_at: at("2026-03-29T01:00:00Z"), ends_at: at("2026-03-29T04:30:00+02:00") };
    assert_eq!(schedule.active(at("2026-03-29T01:15:00Z")).unwrap(), Some(expected));
    let inside_the_gap = recurring("2026-03-28T02:15:00+01:00", "FREQ=DAILY", 30, "Europe/Berlin");
    assert_eq!(inside_the_gap.active(at("2026-03-29T01:00:00Z")).unwrap(), None);
    let seen = inside_the_gap.around(at("2026-03-28T12:00:00Z"), 1).unwrap();
    assert_eq!(seen.next[0].starts_at, at("2026-03-30T02:15:00+02:00"), "the night without it is passed over");
}

#[test]
fn a_time_that_comes_twice_is_frozen_from_the_first_to_the_second() {
    let schedule = recurring("2026-10-24T02:00:00+02:00", "FREQ=DAILY", 30, "Europe/Berlin");
    let expected = Occurrence { starts_at: at("2026-10-25T00:00:00Z"), ends_at: at("2026-10-25T01:30:00Z") };
    assert_eq!(schedule.active(at("2026-10-25T00:10:00Z")).unwrap(), Some(expected), "first 02:10");
    assert_eq!(schedule.active(at("2026-10-25T01:10:00Z")).unwrap(), Some(expected), "second 02:10");
}

#[test]
fn a_weekend_recurs_and_is_listed() {
    let weekend = recurring("2026-01-02T18:00:00+01:00", "FREQ=WEEKLY;BYDAY=FR", 62 * 60, "Europe/Berlin");
    let seen = weekend.around(at("2026-11-21T12:00:00Z"), 2).unwrap();
    let active = seen.active.unwrap();
    assert_eq!(active.ends_at, at("2026-11-23T08:00:00+01:00"));
    assert_eq!(seen.next[0].starts_at, at("2026-11-27T18:00:00+01:00"));
    assert_eq!(seen.next.len(), 2);
    assert_eq!(weekend.active(at("2025-12-27T12:00:00Z")).unwrap(), None, "not before it begins");
}

#[test]
fn overlapping_occurrences_end_with_the_last() {
    let schedule = recurring("2026-01-01T00:00:00Z", "FREQ=DAILY;COUNT=3", 48 * 60, "UTC");
    let active = schedule.active(at("2026-01-02T12:00:00Z")).unwrap().unwrap();
    assert_eq!(active.ends_at, at("2026-01-04T00:00:00Z"));
    assert_eq!(schedule.active(at("2026-01-05T00:00:00Z")).unwrap(), None);
}

#[test]
fn a_window_that_happens_once() {
    let once = Schedule::new(at("2026-12-20T00:00:00Z"), Some(at("2027-01-04T00:00:00Z")), None, None, "UTC").unwrap();
    assert!(once.active(at("2026-12-24T00:00:00Z")).unwrap().is_some());
    assert!(once.active(at("2027-01-04T00:00:00Z")).unwrap().is_none());
    assert_eq!(once.around(at("2026-12-01T00:00:00Z"), 5).unwrap().next.len(), 1);
}

#[test]
fn contradictions_name_the_field() {
    let start = at("2026-01-01T00:00:00Z");
    let later = Some(start.plus_seconds(60));
    let cases = [
        (None, None, None, "endsAt"),
        (None, None, Some(5), "endsAt"),
        (Some(start), None, None, "endsAt"),
        (later, Some("FREQ=DAILY"), Some(5), "endsAt"),
        (later, None, Some(5), "endsAt"),
        (None, Some("FREQ=DAILY"), None, "durationMinutes"),
        (None, Some("FREQ=DAILY"), Some(0), "durationMinutes"),
        (None, Some("FREQ=DAILY"), Some(44_641), "durationMinutes"),
        (None, Some("FREQ=NEVER"), Some(5), "recurrence"),
    ];
    for (ends, rule, minutes, field) in cases {
        let error = Schedule::new(start, ends, rule, minutes, "UTC").unwrap_err();
        assert_eq!(error.validation()[0].field, field);
    }
    let zone = Schedule::new(start, later, None, None, "Moon/Base").unwrap_err();
    assert_eq!(zone.validation()[0].field, "timezone");
}

#[test]
fn what_began_long_ago_is_still_counted() {
    let old = recurring("2001-01-01T22:00:00+01:00", "FREQ=DAILY", 480, "Europe/Berlin");
    assert!(old.active(at("2026-03-29T01:30:00Z")).unwrap().is_some());
    let month = recurring("2001-01-01T00:00:00Z", "FREQ=MONTHLY;BYMONTHDAY=1", MAX_DURATION_MINUTES, "Pacific/Apia");
    assert!(month.active(at("2011-12-31T12:00:00Z")).unwrap().is_some(), "over the day that Samoa left out");
    let ended = recurring("2001-01-01T00:00:00Z", "FREQ=DAILY;UNTIL=20020101", 60, "UTC");
    assert!(ended.around(at("2026-01-01T00:10:00Z"), 3).unwrap() == Sighting::default());
}

#[test]
fn a_window_of_long_ago_or_for_very_long_can_be_computed() {
    // Every day since 1990: more days than are ever counted one by one.
    let schedule = recurring("1990-01-01T22:00:00+01:00", "FREQ=DAILY", 480, "Europe/Berlin");
    let seen = schedule.around(at("2026-03-29T12:00:00Z"), SHOWN).unwrap();
    assert_eq!((seen.active, seen.next.len()), (None, SHOWN));
    assert_eq!(seen.next[0].starts_at, at("2026-03-29T22:00:00+02:00"));
    assert!(schedule.active(at("2126-07-01T23:00:00Z")).unwrap().is_some());
}
