//! Waiting for what should come true: ask, and ask again, until a deadline.

use std::{
    fmt::Display,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

/// How long to wait for something that should take a moment. It only ends a test that hangs; nothing is measured by it.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Between two questions.
const PAUSE: Duration = Duration::from_millis(20);

/// What a question may answer: `bool`, `Option<T>` or `Result<T, E>`.
pub trait Answer {
    /// What is known when the answer is yes.
    type Value;

    /// The value, or why not yet.
    fn settled(self) -> Result<Self::Value, String>;
}

impl Answer for bool {
    type Value = ();

    fn settled(self) -> Result<(), String> {
        if self { Ok(()) } else { Err("it is not so".to_owned()) }
    }
}

impl<T> Answer for Option<T> {
    type Value = T;

    fn settled(self) -> Result<T, String> {
        self.ok_or_else(|| "there is nothing yet".to_owned())
    }
}

impl<T, E: Display> Answer for std::result::Result<T, E> {
    type Value = T;

    fn settled(self) -> Result<T, String> {
        self.map_err(|error| format!("{error:#}"))
    }
}

/// Asks until the answer is yes. After `deadline` it fails, with `what` was waited for and the last answer.
pub fn eventually<A: Answer>(what: &str, deadline: Duration, mut question: impl FnMut() -> A) -> Result<A::Value> {
    let start = Instant::now();
    loop {
        match question().settled() {
            Ok(value) => return Ok(value),
            Err(answer) if start.elapsed() >= deadline => bail!("waited {deadline:?} until {what}: {answer}"),
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

/// [`eventually`] for questions that await.
pub async fn eventually_async<A: Answer>(
    what: &str,
    deadline: Duration,
    mut question: impl AsyncFnMut() -> A,
) -> Result<A::Value> {
    let start = Instant::now();
    loop {
        match question().await.settled() {
            Ok(value) => return Ok(value),
            Err(answer) if start.elapsed() >= deadline => bail!("waited {deadline:?} until {what}: {answer}"),
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// The pause between two calls of a server that counts each caller's calls.
pub async fn breath() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_comes_back_once_there_is_one() -> Result<()> {
        let mut asked = 0;
        let value = eventually("the third question is answered", PATIENCE, || {
            asked += 1;
            (asked == 3).then_some(asked)
        })?;
        assert_eq!(value, 3);
        Ok(())
    }

    #[test]
    fn what_never_comes_true_fails_with_the_last_answer() {
        let error = eventually("the ship is in", Duration::ZERO, || Err::<(), _>("still at sea")).unwrap_err();
        assert_eq!(error.to_string(), "waited 0ns until the ship is in: still at sea");
    }
}
