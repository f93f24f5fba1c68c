//! The outputs of new instances on their way into the task's log: while they come up, masked, and bounded.

use std::{
    collections::BTreeMap,
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use plimsoll_protocol::agent::report::LogSource;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::logger::TaskLogger;
use crate::masking::MaskedStream;

/// What of one instance's output goes into its task's log.
const MOST: usize = 1024 * 1024;
/// A line that does not end is shown in pieces of this.
const LONGEST: usize = 8 * 1024;
/// For the last words of those that are followed.
const PATIENCE: Duration = Duration::from_secs(2);

/// The instances that a task follows.
#[derive(Debug, Default)]
pub(super) struct Following {
    end: CancellationToken,
    followed: Mutex<BTreeMap<String, JoinHandle<()>>>,
}

impl Following {
    /// Whether it is followed, or was.
    pub(super) fn has(&self, name: &str) -> bool {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    /// Follows one more until it ends or the task does.
    pub(super) fn begin<F: Future<Output = ()> + Send + 'static>(
        &self,
        name: &str,
        follow: impl FnOnce(CancellationToken) -> F,
    ) {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.end.is_cancelled() && !followed.contains_key(name) {
            followed.insert(name.to_owned(), tokio::spawn(follow(self.end.clone())));
        }
    }

    /// Lets all say what they have, and follows none any more.
    pub(super) async fn finish(&self) {
        self.end.cancel();
        let all = std::mem::take(&mut *self.followed.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, mut one) in all {
            if tokio::time::timeout(PATIENCE, &mut one).await.is_err() {
                tracing::debug!(name, "the last lines of an instance were not read in time");
                one.abort();
            }
        }
    }
}

/// Where one instance's output goes, piece by piece as it comes.
pub struct Output {
    log: TaskLogger,
    component: String,
    left: usize,
    stdout: Lines,
    stderr: Lines,
}

/// One of its two streams.
struct Lines {
    masked: MaskedStream,
    /// The beginning of a character.
    bytes: Vec<u8>,
    /// The beginning of a line, masked.
    text: String,
}

impl Output {
    /// Into the log of `component`'s task.
    #[must_use]
    pub fn new(log: TaskLogger, component: &str) -> Self {
        let (stdout, stderr) = (Lines::new(&log), Lines::new(&log));
        Self { log, component: component.to_owned(), left: MOST, stdout, stderr }
    }

    /// Takes a piece; `false` when no more is wanted.
    pub fn take(&mut self, source: LogSource, piece: &[u8]) -> bool {
        let taken = piece.get(..self.left).unwrap_or(piece);
        self.left -= taken.len();
        let lines = match source {
            LogSource::Stderr => &mut self.stderr,
            LogSource::Stdout | LogSource::Agent => &mut self.stdout,
        };
        for line in lines.take(taken) {
            self.log.line(source, Some(&self.component), &line);
        }
        self.left > 0
    }

    /// The end of the output.
    pub fn finish(self) {
        for (source, lines) in [(LogSource::Stdout, self.stdout), (LogSource::Stderr, self.stderr)] {
            for line in lines.finish() {
                self.log.line(source, Some(&self.component), &line);
            }
        }
        if self.left == 0 {
            let text = format!("its first {} KiB of output are shown; read on where it runs", MOST / 1024);
            self.log.say(Some(&self.component), text);
        }
    }
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Output({})", self.component)
    }
}

impl Lines {
    fn new(log: &TaskLogger) -> Self {
        Self { masked: log.masker().stream(), bytes: Vec::new(), text: String::new() }
    }

    fn take(&mut self, piece: &[u8]) -> Vec<String> {
        self.bytes.extend_from_slice(piece);
        let whole = match std::str::from_utf8(&self.bytes) {
            Err(cut) if cut.error_len().is_none() => cut.valid_up_to(),
            Ok(_) | Err(_) => self.bytes.len(),
        };
        let rest = self.bytes.split_off(whole);
        let text = String::from_utf8_lossy(&std::mem::replace(&mut self.bytes, rest)).into_owned();
        let shown = self.masked.push(&text);
        self.text.push_str(&shown);
        let mut lines = Vec::new();
        while let Some(at) = self.text.find('\n') {
            let line: String = self.text.drain(..=at).collect();
            lines.push(line.trim_end_matches(['\n', '\r']).to_owned());
        }
        if self.text.len() > LONGEST {
            lines.push(std::mem::take(&mut self.text));
        }
        lines
    }

    fn finish(mut self) -> Vec<String> {
        let shown = self.masked.finish();
        self.text.push_str(&shown);
        self.text.lines().map(ToOwned::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::context::Context;
    use plimsoll_protocol::agent::AgentFrame;

    use super::*;
    use crate::{masking::Masker, session::outbox::Outbox};

    fn logger(outbox: &Outbox) -> TaskLogger {
        let task = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        TaskLogger::new(task, 3, Context::system(), outbox.clone(), Masker::default())
    }

    async fn texts(log: &TaskLogger, outbox: &Outbox) -> Vec<String> {
        log.flush();
        let AgentFrame::Log(log) = outbox.next().await.frame else { panic!("a log is expected") };
        log.lines.into_iter().map(|line| line.text).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_secret_in_two_pieces_is_masked_and_characters_stay_whole() {
        let outbox = Outbox::default();
        let log = logger(&outbox);
        log.masker().learn("correct-horse");
        let mut output = Output::new(log.clone(), "web");
        for piece in [&b"the key is correct-"[..], b"hor", b"se, gr\xc3", b"\xbc\xc3\x9fe\nlast"] {
            assert!(output.take(LogSource::Stdout, piece));
        }
        output.finish();
        assert_eq!(texts(&log, &outbox).await, ["the key is ***, gr\u{fc}\u{df}e", "last"]);
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_bounded_and_says_so() {
        let outbox = Outbox::default();
        let log = logger(&outbox);
        let mut output = Output::new(log.clone(), "web");
        assert!(output.take(LogSource::Stderr, &vec![b'\n'; MOST - 1]));
        assert!(!output.take(LogSource::Stderr, b"xyz"));
        output.finish();
        let texts = texts(&log, &outbox).await;
        assert_eq!(texts.iter().filter(|text| !text.is_empty()).count(), 2, "x, and that it is all");
        assert!(texts.last().unwrap().contains("1024 KiB"));
    }
}
