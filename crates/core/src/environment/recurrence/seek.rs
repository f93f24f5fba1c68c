//! A recurrence counted from near the moment that is asked about instead of from its beginning.
//!
//! A rule without COUNT gives in each of its periods (day, week, month or year) what that period and the
//! rule alone make of it. So it may as well begin with a later period, as long as INTERVAL still falls on
//! the same ones. What the rule takes from its first occurrence (the day of the month, the time of day) is
//! written into it when it is read.

use std::time::Duration;

use rrule::{Frequency, RRule, RRuleSet};

use crate::zone::Wall;

const DAY: i64 = 86_400;
/// 1970-01-01 was a Thursday; days of the week are counted from Monday.
const EPOCH_WEEKDAY: i64 = 3;

/// The same rule from a period shortly before `from` on; nothing where it must be counted from `first`.
pub(super) fn near(set: &RRuleSet, first: Wall, from: Wall) -> Option<RRuleSet> {
    let [rule] = &set.get_rrule()[..] else { return None };
    if rule.get_count().is_some() {
        return None;
    }
    let every = i64::from(rule.get_interval().max(1));
    let begun = period(rule, first)?;
    // One earlier than need be: what is in it before `from` is passed over anyway.
    let rounds = (period(rule, from)? - begun).div_euclid(every) - 1;
    if rounds < 1 {
        return None;
    }
    let day = first_day(rule, begun + rounds * every)?;
    let seconds = u64::try_from(day * DAY + first.seconds().rem_euclid(DAY) - first.seconds()).ok()?;
    let begins = *set.get_dt_start() + Duration::from_secs(seconds);
    Some(RRuleSet::new(begins).rrule(rule.clone()).limit())
}

/// The number of the period that `wall` lies in.
fn period(rule: &RRule, wall: Wall) -> Option<i64> {
    let day = wall.seconds().div_euclid(DAY);
    let (year, month) = wall.year_and_month();
    match rule.get_freq() {
        Frequency::Daily => Some(day),
        Frequency::Weekly => Some((day + EPOCH_WEEKDAY - week_start(rule)).div_euclid(7)),
        Frequency::Monthly => Some(year * 12 + month - 1),
        Frequency::Yearly => Some(year),
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => None,
    }
}

/// The first day of a period, counted from 1970-01-01.
fn first_day(rule: &RRule, period: i64) -> Option<i64> {
    let of_month = |year, month| Wall::first_of_month(year, month).map(|wall| wall.seconds().div_euclid(DAY));
    match rule.get_freq() {
        Frequency::Daily => Some(period),
        Frequency::Weekly => Some(period * 7 - EPOCH_WEEKDAY + week_start(rule)),
        Frequency::Monthly => of_month(period.div_euclid(12), period.rem_euclid(12) + 1),
        Frequency::Yearly => of_month(period, 1),
        Frequency::Hourly | Frequency::Minutely | Frequency::Secondly => None,
    }
}

fn week_start(rule: &RRule) -> i64 {
    i64::from(rule.get_week_start().num_days_from_monday())
}
