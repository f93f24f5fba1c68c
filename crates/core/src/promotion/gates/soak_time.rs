//! `soak_time`: the release has run long enough, uninterrupted, in the environments before.

use super::Finding;
use crate::{
    Timestamp,
    promotion::{DecisionInputs, GateVerdict, PredecessorFacts},
};

pub(super) fn v1(inputs: &DecisionInputs) -> Finding {
    let seconds = inputs.environment.soak_seconds;
    let required = inputs.environment.promotes_from.required();
    let data = serde_json::json!({ "at": inputs.at, "soakSeconds": seconds, "required": required, "predecessors": inputs.predecessors });
    if seconds == 0 || required == 0 {
        return Finding::new(GateVerdict::Pass, "no soak time is asked for", data);
    }
    let mut ends: Vec<Timestamp> = inputs.predecessors.iter().filter_map(|one| soaked_at(one, seconds)).collect();
    ends.sort_unstable();
    match ends.get(required - 1) {
        Some(end) if *end <= inputs.at => {
            Finding::new(GateVerdict::Pass, format!("it has run for {} where it must", duration(seconds.into())), data)
        }
        Some(end) => {
            let left = duration(end.seconds_since(inputs.at).max(1));
            let reason = format!("it must run for {} before; {left} are left, until {end}", duration(seconds.into()));
            Finding::new(GateVerdict::Pending, reason, data).retry_at(Some(*end))
        }
        None => {
            let away = inputs.predecessors.iter().filter(|one| one.running_since.is_none());
            let each: Vec<String> = away.map(shortcoming).collect();
            let reason = format!("it must run for {} before: {}", duration(seconds.into()), each.join("; "));
            Finding::new(GateVerdict::Deny, reason, data)
        }
    }
}

fn soaked_at(one: &PredecessorFacts, seconds: u32) -> Option<Timestamp> {
    one.running_since.map(|since| since.plus_seconds(i64::from(seconds)))
}

fn shortcoming(one: &PredecessorFacts) -> String {
    match &one.interrupted_by {
        None => format!("it does not run in {}", one.name),
        Some(what) => format!("it does not run in {} ({what})", one.name),
    }
}

/// `45 s`, `20 min`, `3 h 5 min`, `2 d`.
fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds % 60, "s")];
    let shown: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).take(2).map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_are_short() {
        let cases =
            [(0, "0 s"), (45, "45 s"), (1200, "20 min"), (11_100, "3 h 5 min"), (172_800, "2 d"), (90_061, "1 d 1 h")];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
