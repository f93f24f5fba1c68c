//! What waits to be sent to the server: bounded, the connection's ups and downs aside.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use plimsoll_core::id::TaskId;
use plimsoll_protocol::agent::AgentFrame;

/// The most that waits, in bytes (about).
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The queue; clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    queue: Mutex<Queue>,
    more: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<(u64, AgentFrame, usize)>,
    bytes: usize,
    taken: u64,
    lost_lines: HashMap<TaskId, u64>,
}

/// A frame on its way; it stays in the queue until it is [`Outbox::sent`].
#[derive(Clone, Debug)]
pub struct Waiting {
    number: u64,
    /// The frame.
    pub frame: AgentFrame,
}

impl Outbox {
    /// Adds a frame. When there is no room the oldest log lines make it, then the oldest progress; results,
    /// which the journal holds, and acks are the last to go.
    pub fn push(&self, frame: AgentFrame) {
        let size = size(&frame);
        let mut queue = self.lock();
        while queue.bytes + size > MAX_BYTES && queue.evict() {}
        queue.taken += 1;
        let number = queue.taken;
        queue.bytes += size;
        queue.frames.push_back((number, frame, size));
        drop(queue);
        self.0.more.notify_one();
    }

    /// The next frame to send, when there is one.
    pub async fn next(&self) -> Waiting {
        loop {
            let more = self.0.more.notified();
            if let Some((number, frame, _)) = self.lock().frames.front() {
                return Waiting { number: *number, frame: frame.clone() };
            }
            more.await;
        }
    }

    /// A frame is with the server's host: it need not be kept.
    pub fn sent(&self, waiting: &Waiting) {
        let mut queue = self.lock();
        if queue.frames.front().is_some_and(|(number, ..)| *number == waiting.number)
            && let Some((_, _, size)) = queue.frames.pop_front()
        {
            queue.bytes -= size;
        }
    }

    /// Lines of a task that were dropped since this was last asked.
    #[must_use]
    pub fn take_lost_lines(&self, task: TaskId) -> u64 {
        self.lock().lost_lines.remove(&task).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn evict(&mut self) -> bool {
        let oldest = |wanted: fn(&AgentFrame) -> bool| self.frames.iter().position(|(_, frame, _)| wanted(frame));
        let log = oldest(|frame| matches!(frame, AgentFrame::Log(_)));
        let progress = || oldest(|frame| matches!(frame, AgentFrame::Progress(_)));
        let Some(at) = log.or_else(progress).or(if self.frames.is_empty() { None } else { Some(0) }) else {
            return false;
        };
        if let Some((_, frame, size)) = self.frames.remove(at) {
            self.bytes -= size;
            if let AgentFrame::Log(log) = frame {
                *self.lost_lines.entry(log.task_id).or_default() += log.lines.len() as u64;
            }
        }
        true
    }
}

/// About how many bytes a frame holds in memory and on the wire.
fn size(frame: &AgentFrame) -> usize {
    const FRAME: usize = 512;
    FRAME
        + match frame {
            AgentFrame::Log(log) => log.lines.iter().map(|line| line.text.len() + 96).sum(),
            AgentFrame::Result(result) => {
                result.components.len() * 512
                    + result.error.as_ref().map_or(0, |error| error.log_tail.iter().map(String::len).sum())
            }
            AgentFrame::Observation(report) => report.seen.running.len() * 1024,
            AgentFrame::Status(status) => status.targets.iter().map(|target| target.running.len() * 1024).sum(),
            AgentFrame::Ack(_)
            | AgentFrame::Progress(_)
            | AgentFrame::SecretRequest(_)
            | AgentFrame::LeaseRenew(_)
            | AgentFrame::Auth(_) => 0,
        }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::Timestamp;
    use plimsoll_protocol::agent::report::{LogLine, LogSource, TaskAck, TaskLog};

    use super::*;

    fn task() -> TaskId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    fn log(chunk: u64, bytes: usize) -> AgentFrame {
        let line = LogLine {
            at: Timestamp::from_seconds(0),
            source: LogSource::Agent,
            component: None,
            text: "x".repeat(bytes),
        };
        AgentFrame::Log(TaskLog { task_id: task(), epoch: 1, chunk, lines: vec![line] })
    }

    #[tokio::test]
    async fn logs_go_before_acks_and_their_loss_is_counted() {
        let outbox = Outbox::default();
        let ack = AgentFrame::Ack(TaskAck { task_id: task(), epoch: 1, refusal: None });
        outbox.push(ack.clone());
        for chunk in 0..10 {
            outbox.push(log(chunk, 1024 * 1024));
        }
        assert_eq!(outbox.take_lost_lines(task()), 7);
        assert_eq!(outbox.take_lost_lines(task()), 0);
        let first = outbox.next().await;
        assert_eq!(first.frame, ack);
        assert_eq!(outbox.next().await.frame, ack, "it stays until it is sent");
        outbox.sent(&first);
        assert_eq!(outbox.next().await.frame, log(7, 1024 * 1024));
    }
}
