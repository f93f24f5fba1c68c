//! When a failed call is tried again, as pure functions.

use std::time::Duration;

use http::{HeaderMap, header::RETRY_AFTER};
use plimsoll_core::Timestamp;

/// How often and how long a call is tried. All calls of this crate only read, so all may be repeated.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Tries in all.
    pub attempts: u32,
    /// Wait after the first failure; it doubles each time.
    pub base: Duration,
    /// Longest wait that we choose ourselves.
    pub cap: Duration,
    /// Longest time from the first try to the start of the last one, waits that a registry asks for included.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts: 4,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(5),
            budget: Duration::from_secs(20),
        }
    }
}

impl RetryPolicy {
    /// One try, for tests of a connection that a person waits for.
    #[must_use]
    pub const fn once() -> Self {
        Self { attempts: 1, base: Duration::ZERO, cap: Duration::ZERO, budget: Duration::ZERO }
    }

    /// How long to wait after the `failed`-th failure, `spent` after the start; none to give up.
    /// `asked` is what the registry wants (`Retry-After`), `jitter` a random number in 0..1.
    #[must_use]
    pub fn wait(&self, failed: u32, asked: Option<Duration>, spent: Duration, jitter: f64) -> Option<Duration> {
        if failed >= self.attempts {
            return None;
        }
        let doubled = self.base.saturating_mul(1 << failed.saturating_sub(1).min(16)).min(self.cap);
        let wait = match asked {
            // Not all at once when the time is over.
            Some(asked) => asked + doubled.mul_f64(jitter / 2.0),
            None => doubled.mul_f64(0.5 + jitter / 2.0),
        };
        (spent + wait <= self.budget).then_some(wait)
    }
}

/// What `Retry-After` asks for: seconds or a date (RFC 9110 section 10.2.3).
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let wait = Timestamp::from_http_date(text)?.micros_since(now);
    Some(Duration::from_micros(u64::try_from(wait).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: Timestamp = Timestamp::from_seconds(784_111_777);

    fn header(text: &str) -> Option<Duration> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
        retry_after(&headers, START)
    }

    #[test]
    fn both_forms_of_the_header() {
        assert_eq!(header("7"), Some(Duration::from_secs(7)));
        assert_eq!(header("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(header("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("-1"), None);
        assert_eq!(header("soon"), None);
    }

    #[test]
    fn it_gives_up_when_the_registry_asks_for_more_than_the_budget() {
        let policy = RetryPolicy::default();
        let minute = Some(Duration::from_mins(1));
        assert_eq!(policy.wait(1, minute, Duration::ZERO, 0.5), None);
        assert!(policy.wait(1, Some(Duration::from_secs(3)), Duration::ZERO, 0.5).is_some());
        assert_eq!(RetryPolicy::once().wait(1, None, Duration::ZERO, 0.0), None);
    }

    proptest! {
        #[test]
        fn waits_stay_within_the_budget(jitters in proptest::collection::vec(0.0_f64..1.0, 40), asked in proptest::option::of(0_u64..8)) {
            let policy = RetryPolicy { attempts: 40, ..RetryPolicy::default() };
            let mut spent = Duration::ZERO;
            for (failed, jitter) in (1..).zip(jitters) {
                let asked = asked.map(Duration::from_secs);
                let Some(wait) = policy.wait(failed, asked, spent, jitter) else { break };
                prop_assert!(asked.is_none_or(|asked| wait >= asked));
                spent += wait;
            }
            prop_assert!(spent <= policy.budget);
        }
    }
}
