//! RFC 5545 recurrence rules for freeze windows. The only place that knows the `rrule` crate (which brings
//! chrono along).
//!
//! The rule is expanded on the wall clock: the crate is told that the zone is UTC, and what it gives is
//! read as local time. So no occurrence is lost in a night when the clock changes.

mod seek;

use rrule::RRuleSet;

use crate::{
    Timestamp,
    error::{Error, Result},
    zone::{Wall, Zone},
};

/// The longest rule, in bytes.
pub const MAX_RULE: usize = 500;
/// Occurrences that are looked at before we give up; as many as COUNT may be.
const MAX_STEPS: usize = 10_000;

/// A rule that was read and is known to occur.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    /// Without UNTIL, which is ours to watch.
    set: RRuleSet,
    first: Wall,
    until: Until,
}

#[derive(Clone, Copy, Debug)]
enum Until {
    Never,
    Instant(Timestamp),
    Wall(Wall),
}

impl Rule {
    /// Reads `text`, counted from `first` on.
    pub(super) fn parse(text: &str, first: Wall) -> Result<Self> {
        let (rule, until) = split(text)?;
        let set: RRuleSet = format!("DTSTART:{}Z\nRRULE:{rule}", first.basic_format())
            .parse()
            .map_err(|cause: rrule::RRuleError| wrong(&format!("can't be read: {cause}")))?;
        let parsed = Self { set: set.limit(), first, until };
        match parsed.set.into_iter().next() {
            Some(_) => Ok(parsed),
            None => Err(wrong("never occurs")),
        }
    }

    /// The beginnings that a clock shows at `from` or later, oldest first. What lies long before `from`
    /// costs nothing; only with COUNT all is counted. Ends with an error after [`MAX_STEPS`].
    pub(super) fn beginnings<'a>(
        &'a self,
        zone: &'a Zone,
        from: Wall,
    ) -> impl Iterator<Item = Result<(Wall, Timestamp)>> + 'a {
        let near = seek::near(&self.set, self.first, from);
        self.expand(near.as_ref().unwrap_or(&self.set), zone, from)
    }

    fn expand<'a>(
        &'a self,
        set: &RRuleSet,
        zone: &'a Zone,
        from: Wall,
    ) -> impl Iterator<Item = Result<(Wall, Timestamp)>> + use<'a> {
        set.into_iter()
            .map(|at| Wall::from_seconds(at.timestamp()))
            .enumerate()
            .skip_while(move |(step, wall)| *wall < from && *step < MAX_STEPS)
            .map_while(move |(step, wall)| zone.begins(wall).map(|at| (step, wall, at)))
            .take_while(move |(_, wall, at)| match self.until {
                Until::Never => true,
                Until::Instant(last) => *at <= last,
                Until::Wall(last) => *wall <= last,
            })
            .map(|(step, wall, at)| if step < MAX_STEPS { Ok((wall, at)) } else { Err(too_many()) })
    }
}

fn too_many() -> Error {
    wrong(&format!("has more than {MAX_STEPS} occurrences up to that time; let the window begin later"))
}

/// Refuses what has no place in a freeze window, and takes UNTIL out.
fn split(text: &str) -> Result<(String, Until)> {
    let text = text.strip_prefix("RRULE:").unwrap_or(text);
    let known = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"=;,+-".contains(&byte);
    if text.len() > MAX_RULE || !text.bytes().all(known) {
        return Err(wrong("must be an RRULE in capitals, such as FREQ=WEEKLY;BYDAY=FR, of at most 500 bytes"));
    }
    let mut until = Until::Never;
    let mut kept: Vec<&str> = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    for part in text.split(';') {
        let (key, value) = part.split_once('=').ok_or_else(|| wrong("must be KEY=VALUE pairs joined by ';'"))?;
        if keys.contains(&key) {
            return Err(wrong(&format!("names {key} twice")));
        }
        keys.push(key);
        match key {
            "FREQ" if ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"].contains(&value) => kept.push(part),
            "FREQ" => return Err(wrong("must have FREQ=DAILY, WEEKLY, MONTHLY or YEARLY")),
            "UNTIL" => until = parse_until(value)?,
            "INTERVAL" => kept.push(within(part, value, 1_000)?),
            "COUNT" => kept.push(within(part, value, 10_000)?),
            "BYDAY" | "BYMONTH" | "BYMONTHDAY" | "BYYEARDAY" | "BYWEEKNO" | "BYSETPOS" | "WKST" => kept.push(part),
            "BYHOUR" | "BYMINUTE" | "BYSECOND" => {
                return Err(wrong("takes its time of day from startsAt; leave BYHOUR, BYMINUTE and BYSECOND out"));
            }
            other => return Err(wrong(&format!("has the unknown part {other}"))),
        }
    }
    if !keys.contains(&"FREQ") {
        return Err(wrong("must have FREQ"));
    }
    if keys.contains(&"UNTIL") && keys.contains(&"COUNT") {
        return Err(wrong("must have UNTIL or COUNT, not both"));
    }
    Ok((kept.join(";"), until))
}

fn within<'a>(part: &'a str, value: &str, max: u32) -> Result<&'a str> {
    let good = value.parse::<u32>().is_ok_and(|number| (1..=max).contains(&number));
    if good { Ok(part) } else { Err(wrong(&format!("must have {part} as a whole number from 1 to {max}"))) }
}

/// An instant (`…Z`), a local time, or a local day, which counts whole.
fn parse_until(value: &str) -> Result<Until> {
    let refuse = || wrong("must have UNTIL as 20261231, 20261231T220000 (local) or 20261231T210000Z");
    match value.strip_suffix('Z') {
        Some(utc) if utc.len() == 15 => {
            let wall = Wall::parse_basic(utc).ok_or_else(refuse)?;
            let at = Zone::named("UTC")?.begins(wall).ok_or_else(refuse)?;
            Ok(Until::Instant(at))
        }
        Some(_) => Err(refuse()),
        None => Wall::parse_basic(value).map(Until::Wall).ok_or_else(refuse),
    }
}

fn wrong(what: &str) -> Error {
    Error::field("recurrence", "recurrence", what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn first() -> Wall {
        Wall::parse_basic("20260101T220000").unwrap()
    }

    fn starts(text: &str, count: usize) -> Vec<String> {
        let zone = Zone::named("Europe/Berlin").unwrap();
        let rule = Rule::parse(text, first()).unwrap();
        rule.beginnings(&zone, first()).take(count).map(|one| one.unwrap().0.basic_format()).collect()
    }

    #[test]
    fn rules_of_rfc_5545() {
        let cases: &[(&str, &[&str])] = &[
            ("FREQ=DAILY;COUNT=2", &["20260101T220000", "20260102T220000"]),
            ("FREQ=WEEKLY;BYDAY=FR", &["20260102T220000", "20260109T220000", "20260116T220000"]),
            ("FREQ=WEEKLY;INTERVAL=2;BYDAY=FR,SA;WKST=MO", &["20260102T220000", "20260103T220000", "20260116T220000"]),
            ("FREQ=MONTHLY;BYDAY=-1FR", &["20260130T220000", "20260227T220000", "20260327T220000"]),
            (
                "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
                &["20260130T220000", "20260227T220000", "20260331T220000"],
            ),
            ("FREQ=MONTHLY;BYMONTHDAY=31", &["20260131T220000", "20260331T220000", "20260531T220000"]),
            ("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24", &["20261224T220000", "20271224T220000", "20281224T220000"]),
            ("RRULE:FREQ=DAILY;UNTIL=20260102", &["20260101T220000", "20260102T220000"]),
            ("FREQ=DAILY;UNTIL=20260102T215959", &["20260101T220000"]),
            // 22:00 in Berlin is 21:00Z in winter.
            ("FREQ=DAILY;UNTIL=20260102T210000Z", &["20260101T220000", "20260102T220000"]),
            ("FREQ=DAILY;UNTIL=20260102T205959Z", &["20260101T220000"]),
        ];
        for (rule, expected) in cases {
            assert_eq!(starts(rule, 3), *expected, "{rule}");
        }
    }

    #[test]
    fn what_has_no_place_here_is_refused() {
        for bad in [
            "",
            "FREQ=HOURLY",
            "FREQ=SECONDLY",
            "INTERVAL=2",
            "FREQ=DAILY;INTERVAL=0",
            "FREQ=DAILY;COUNT=0",
            "FREQ=DAILY;COUNT=2;UNTIL=20270101",
            "FREQ=DAILY;FREQ=WEEKLY",
            "FREQ=DAILY;BYHOUR=3",
            "FREQ=DAILY;X=1",
            "FREQ=DAILY\nRDATE:20260101T000000Z",
            "FREQ=MONTHLY;BYDAY=XX",
            "FREQ=MONTHLY;BYMONTHDAY=32",
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "FREQ=DAILY;UNTIL=tomorrow",
            "FREQ=DAILY;UNTIL=20269999",
        ] {
            let refused = Rule::parse(bad, first());
            assert!(refused.is_err_and(|error| error.message().starts_with("recurrence")), "{bad:?}");
        }
    }

    #[test]
    fn expansion_is_bounded() {
        let zone = Zone::named("UTC").unwrap();
        let rule = Rule::parse("FREQ=DAILY", first()).unwrap();
        assert!(rule.beginnings(&zone, first()).find(Result::is_err).is_some());
    }

    #[test]
    fn what_lies_before_costs_no_steps() {
        let zone = Zone::named("UTC").unwrap();
        for text in ["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY", "FREQ=DAILY;COUNT=10000"] {
            let rule = Rule::parse(text, Wall::parse_basic("19000101T220000").unwrap()).unwrap();
            let found: Result<Vec<_>> = rule.beginnings(&zone, first()).take(5).collect();
            assert_eq!(found.unwrap().len(), if text.contains("COUNT") { 0 } else { 5 }, "{text}");
        }
    }

    const PARTS: &[&str] = &[
        "",
        "BYDAY=MO",
        "BYDAY=FR,SA,SU",
        "BYDAY=-1FR",
        "BYDAY=2TU",
        "BYMONTH=2",
        "BYMONTH=1,6,12",
        "BYMONTHDAY=1,15",
        "BYMONTHDAY=31",
        "BYMONTHDAY=-1",
        "BYYEARDAY=1,100,366",
        "BYYEARDAY=-1",
        "BYWEEKNO=1",
        "BYWEEKNO=20,53",
        "BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "BYDAY=SA,SU;BYSETPOS=1,-1",
        "BYMONTHDAY=29;BYMONTH=2",
        "BYMONTH=3;BYDAY=SU",
        "COUNT=7",
        "COUNT=400",
        "UNTIL=20300101",
        "BYDAY=WE;UNTIL=20261231T000000Z",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// To begin near the moment that is asked about gives what counting from the first gives.
        #[test]
        fn what_is_skipped_changes_nothing(
            freq in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
            interval in 1..=13u32,
            part in prop::sample::select(PARTS.to_vec()),
            week in prop::sample::select(vec!["", ";WKST=SU", ";WKST=WE"]),
            begins in 0..=1_500i64,
            minute in 0..1_440i64,
            later in -50..=4_000i64,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York"]),
        ) {
            let zone = Zone::named(zone).unwrap();
            let start = Wall::parse_basic("20190101T000000").unwrap().plus_minutes(begins * 1_440 + minute);
            let from = start.plus_minutes(later * 1_440 + 77);
            let part = if part.is_empty() { String::new() } else { format!(";{part}") };
            if let Ok(rule) = Rule::parse(&format!("FREQ={freq};INTERVAL={interval}{part}{week}"), start) {
                let near: Vec<_> = rule.beginnings(&zone, from).take(4).collect::<Result<_>>().unwrap();
                let naive: Vec<_> = rule.expand(&rule.set, &zone, from).take(4).collect::<Result<_>>().unwrap();
                prop_assert_eq!(near, naive);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "(FREQ=(DAILY|WEEKLY|MONTHLY|YEARLY);)?([A-Z]{2,9}=[0-9A-Z,+-]{0,6};?){0,3}") {
            let _ = Rule::parse(&text, first());
        }

        #[test]
        fn no_rule_makes_it_panic(
            freq in prop::sample::select(vec!["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
            interval in 1..=1000u32,
            part in prop::sample::select(vec!["BYDAY", "BYMONTH", "BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYSETPOS"]),
            value in prop::sample::select(vec!["-1", "0", "1", "5", "12", "31", "-31", "53", "-53", "366", "-366", "MO", "-1SU", "5FR", "FR,SA"]),
        ) {
            let zone = Zone::named("Europe/Berlin").unwrap();
            if let Ok(rule) = Rule::parse(&format!("FREQ={freq};INTERVAL={interval};{part}={value}"), first()) {
                let some: Vec<_> = rule.beginnings(&zone, first()).take(20).collect::<Result<_>>().unwrap();
                prop_assert!(some.windows(2).all(|pair| pair[0] < pair[1]), "ascending");
            }
        }
    }
}
