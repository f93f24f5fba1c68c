//! When a component is healthy: a pure function of the answers to its checks and of time.

use std::time::Duration;

use plimsoll_core::component::runtime::Health;

use crate::drivers::host::Probe;

/// The rules of one wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    start_period: Duration,
    retries: u32,
    healthy_for: Duration,
    deadline: Duration,
}

/// A judge over one instance, from its start.
#[derive(Clone, Debug)]
pub struct Judge {
    rules: Rules,
    failures: u32,
    healthy_since: Option<Duration>,
    last_failure: Option<String>,
}

/// Where an instance stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on asking.
    Waiting,
    /// Healthy since then, for long enough.
    Healthy(Duration),
    /// Not healthy; the reason.
    Unhealthy(String),
}

impl Rules {
    /// As the component says; without a check it must run for 10 s.
    #[must_use]
    pub fn of(health: Option<&Health>) -> Self {
        let seconds = |number: u32| Duration::from_secs(u64::from(number));
        match health {
            Some(health) => Self {
                start_period: seconds(health.start_period_seconds),
                retries: health.retries.max(1),
                healthy_for: seconds(health.healthy_for_seconds),
                deadline: seconds(health.deadline_seconds),
            },
            None => Self { start_period: Duration::ZERO, retries: 1, healthy_for: seconds(10), deadline: seconds(300) },
        }
    }
}

impl Judge {
    /// A judge who has seen nothing.
    #[must_use]
    pub const fn new(rules: Rules) -> Self {
        Self { rules, failures: 0, healthy_since: None, last_failure: None }
    }

    /// Takes the answer of a check made `now` (counted from the start of the wait).
    pub fn hear(&mut self, now: Duration, answer: Probe) {
        match answer {
            Probe::Good => {
                self.failures = 0;
                self.healthy_since.get_or_insert(now);
            }
            Probe::NotYet(why) => {
                self.healthy_since = None;
                self.last_failure = Some(why);
            }
            Probe::Bad(why) => {
                self.healthy_since = None;
                self.last_failure = Some(why);
                if now >= self.rules.start_period {
                    self.failures += 1;
                }
            }
        }
    }

    /// Whether the last answer was good.
    #[must_use]
    pub const fn is_well(&self) -> bool {
        self.healthy_since.is_some()
    }

    /// The last failure.
    #[must_use]
    pub fn last(&self) -> &str {
        self.last_failure.as_deref().unwrap_or("no answer yet")
    }

    /// The verdict `now`.
    #[must_use]
    pub fn verdict(&self, now: Duration) -> Verdict {
        let last = || self.last();
        if self.failures >= self.rules.retries {
            return Verdict::Unhealthy(format!(
                "{} health checks in a row failed; the last: {}",
                self.failures,
                last()
            ));
        }
        match self.healthy_since {
            Some(since) if now >= since + self.rules.healthy_for => Verdict::Healthy(since),
            _ if now >= self.rules.deadline => {
                let seconds = self.rules.deadline.as_secs();
                Verdict::Unhealthy(format!("not healthy within {seconds} s; the last check: {}", last()))
            }
            Some(_) | None => Verdict::Waiting,
        }
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::component::runtime::HealthCheck;

    use super::*;

    fn judge(start_period: u32, retries: u32, healthy_for: u32, deadline: u32) -> Judge {
        Judge::new(Rules::of(Some(&Health {
            check: HealthCheck::Tcp { port: 1 },
            start_period_seconds: start_period,
            interval_seconds: 1,
            timeout_seconds: 1,
            retries,
            healthy_for_seconds: healthy_for,
            deadline_seconds: deadline,
        })))
    }

    fn run(judge: &mut Judge, answers: &str) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        for (second, answer) in (0..).zip(answers.chars()) {
            let now = Duration::from_secs(second);
            judge.hear(now, if answer == '+' { Probe::Good } else { Probe::Bad("no".into()) });
            verdicts.push(judge.verdict(now));
        }
        verdicts
    }

    #[test]
    fn it_must_stay_healthy() {
        let verdicts = run(&mut judge(0, 3, 2, 60), "+-+++");
        assert_eq!(verdicts[3], Verdict::Waiting);
        assert_eq!(verdicts[4], Verdict::Healthy(Duration::from_secs(2)));
    }

    #[test]
    fn failures_in_a_row_count_after_the_start_period() {
        assert!(matches!(run(&mut judge(0, 3, 0, 60), "---")[2], Verdict::Unhealthy(_)));
        let verdicts = run(&mut judge(2, 3, 0, 60), "----+");
        assert_eq!(verdicts[3], Verdict::Waiting);
        assert_eq!(verdicts[4], Verdict::Healthy(Duration::from_secs(4)));
    }

    #[test]
    fn the_deadline_ends_it() {
        let verdicts = run(&mut judge(100, 3, 5, 4), "-----");
        assert!(matches!(verdicts[4], Verdict::Unhealthy(_)), "{verdicts:?}");
    }
}
