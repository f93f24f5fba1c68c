//! A task's voice: progress and log lines, masked, in chunks of at most 64 KiB or 200 ms.

use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use plimsoll_core::{context::Context, id::TaskId};
use plimsoll_protocol::agent::{
    AgentFrame, LOG_CHUNK_MILLIS, MAX_LOG_CHUNK_BYTES,
    report::{LogLine, LogSource, StepKind, StepStatus, TaskLog, TaskProgress},
};
use tokio_util::sync::CancellationToken;

use super::following::Following;
use crate::{masking::Masker, session::outbox::Outbox};

/// The logger of one task; clones are the same one.
#[derive(Clone, Debug)]
pub struct TaskLogger(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    task: TaskId,
    epoch: AtomicU64,
    context: Context,
    outbox: Outbox,
    masker: Masker,
    buffer: Mutex<Buffer>,
    following: Following,
}

#[derive(Debug)]
struct Buffer {
    lines: Vec<LogLine>,
    bytes: usize,
    chunk: u64,
    /// Bytes in all.
    said: usize,
}

/// Longer lines are cut.
const MAX_LINE: usize = 16 * 1024;
/// No more of one task is kept.
const MAX_TASK_BYTES: usize = 100 * 1024 * 1024;

impl TaskLogger {
    /// The logger of `task`. Chunks count from the present second shifted by 20 bits, so that they rise over
    /// restarts of the agent without a write to disk for each.
    #[must_use]
    pub fn new(task: TaskId, epoch: u64, context: Context, outbox: Outbox, masker: Masker) -> Self {
        let first = u64::try_from(context.now().as_seconds()).unwrap_or_default() << 20;
        let buffer = Mutex::new(Buffer { lines: Vec::new(), bytes: 0, chunk: first, said: 0 });
        Self(Arc::new(Inner {
            task,
            epoch: AtomicU64::new(epoch),
            context,
            outbox,
            masker,
            buffer,
            following: Following::default(),
        }))
    }

    /// The task was offered again at a higher epoch.
    pub fn set_epoch(&self, epoch: u64) {
        self.0.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The clock.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.0.context
    }

    /// What is masked.
    #[must_use]
    pub fn masker(&self) -> &Masker {
        &self.0.masker
    }

    /// A sentence of the agent's.
    pub fn say(&self, component: Option<&str>, text: impl AsRef<str>) {
        self.line(LogSource::Agent, component, text.as_ref());
    }

    /// A line.
    pub fn line(&self, source: LogSource, component: Option<&str>, text: &str) {
        let text = cut(self.0.masker.mask(text));
        let mut buffer = self.buffer();
        let Some((source, text)) = bounded(&mut buffer.said, source, text) else { return };
        let line = LogLine { at: self.0.context.now(), source, component: component.map(ToOwned::to_owned), text };
        if buffer.bytes + line.text.len() > MAX_LOG_CHUNK_BYTES {
            self.flush_into(&mut buffer);
        }
        let first = buffer.lines.is_empty();
        buffer.bytes += line.text.len();
        buffer.lines.push(line);
        drop(buffer);
        if first {
            let logger = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(LOG_CHUNK_MILLIS)).await;
                logger.flush();
            });
        }
    }

    /// Whether the output of an instance goes into the log already.
    #[must_use]
    pub fn follows(&self, name: &str) -> bool {
        self.0.following.has(name)
    }

    /// Lets the output of an instance go into the log until it ends or the task does.
    pub fn follow<F: Future<Output = ()> + Send + 'static>(
        &self,
        name: &str,
        follow: impl FnOnce(CancellationToken) -> F,
    ) {
        self.0.following.begin(name, follow);
    }

    /// The task ends: what is followed says what it has.
    pub async fn unfollow(&self) {
        self.0.following.finish().await;
    }

    /// Sends what waits.
    pub fn flush(&self) {
        self.flush_into(&mut self.buffer());
    }

    /// A step began or ended.
    pub fn progress(&self, step: StepKind, component: Option<&str>, status: StepStatus, detail: Option<&str>) {
        self.flush();
        self.0.outbox.push(AgentFrame::Progress(TaskProgress {
            task_id: self.0.task,
            epoch: self.epoch(),
            step,
            component: component.map(ToOwned::to_owned),
            status,
            at: self.0.context.now(),
            detail: detail.map(|text| self.0.masker.mask(text)),
        }));
    }

    fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    fn flush_into(&self, buffer: &mut Buffer) {
        if buffer.lines.is_empty() {
            return;
        }
        let mut lines = std::mem::take(&mut buffer.lines);
        buffer.bytes = 0;
        buffer.chunk += 1;
        let lost = self.0.outbox.take_lost_lines(self.0.task);
        if lost > 0 {
            let text = format!("{lost} earlier lines were dropped: the server could not be reached for too long");
            let at = lines.first().map_or_else(|| self.0.context.now(), |line| line.at);
            lines.insert(0, LogLine { at, source: LogSource::Agent, component: None, text });
        }
        let (task_id, epoch, chunk) = (self.0.task, self.epoch(), buffer.chunk);
        self.0.outbox.push(AgentFrame::Log(TaskLog { task_id, epoch, chunk, lines }));
    }

    fn buffer(&self) -> MutexGuard<'_, Buffer> {
        self.0.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The line, while the task has not said too much; the one that is too much is said instead of it, once.
fn bounded(said: &mut usize, source: LogSource, text: String) -> Option<(LogSource, String)> {
    let before = *said;
    *said = said.saturating_add(text.len() + 1);
    match (before > MAX_TASK_BYTES, *said > MAX_TASK_BYTES) {
        (true, _) => None,
        (false, false) => Some((source, text)),
        (false, true) => {
            let text = format!("the log of this task ends here: it has reached {} MiB", MAX_TASK_BYTES / (1024 * 1024));
            Some((LogSource::Agent, text))
        }
    }
}

fn cut(mut text: String) -> String {
    if text.len() > MAX_LINE {
        let mut end = MAX_LINE;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logger(outbox: &Outbox) -> TaskLogger {
        let task = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        TaskLogger::new(task, 3, Context::system(), outbox.clone(), Masker::default())
    }

    #[tokio::test(start_paused = true)]
    async fn lines_wait_for_each_other_and_secrets_do_not_leave() {
        let outbox = Outbox::default();
        let logger = logger(&outbox);
        logger.masker().learn("hunter2");
        logger.say(None, "the password is hunter2");
        logger.line(LogSource::Stdout, Some("web"), "ready");
        let AgentFrame::Log(log) = outbox.next().await.frame else { panic!("a log is expected") };
        let texts: Vec<&str> = log.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, ["the password is ***", "ready"]);
        assert_eq!(log.epoch, 3);
    }

    #[test]
    fn a_task_says_so_when_it_has_said_enough() {
        let mut said = MAX_TASK_BYTES - 10;
        let mut say = |text: &str| bounded(&mut said, LogSource::Stdout, text.to_owned());
        assert_eq!(say("short"), Some((LogSource::Stdout, "short".to_owned())));
        let (source, text) = say("too long").unwrap();
        assert_eq!(source, LogSource::Agent);
        assert!(text.contains("100 MiB"), "{text}");
        assert_eq!(say("x"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn chunks_are_bounded_and_numbered() {
        let outbox = Outbox::default();
        let logger = logger(&outbox);
        for _ in 0..20 {
            logger.say(None, "y".repeat(10_000));
        }
        logger.flush();
        let (mut lines, mut last) = (0, 0);
        while lines < 20 {
            let waiting = outbox.next().await;
            let AgentFrame::Log(log) = &waiting.frame else { panic!("a log is expected") };
            assert!(log.lines.iter().map(|line| line.text.len()).sum::<usize>() <= MAX_LOG_CHUNK_BYTES);
            assert!(log.chunk > last);
            (lines, last) = (lines + log.lines.len(), log.chunk);
            outbox.sent(&waiting);
        }
    }
}
