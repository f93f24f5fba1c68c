//! Closures on their way to a database thread and back.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    time::{Duration, Instant},
};

use plimsoll_core::{Error, ErrorCode, Result};
use tokio::sync::oneshot;

use super::{
    scope::Scope,
    tx::{AfterCommit, Connection, Effects, Tx},
};

/// The longest wait in a queue before the caller gets 503.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// A closure that takes longer is logged.
const SLOW: Duration = Duration::from_millis(50);

type Answer = Box<dyn Any + Send>;
type Body = Box<dyn Fn(&mut Tx<'_>) -> Result<Answer> + Send>;

/// A closure with all that its thread needs to know.
pub(crate) struct Job {
    scope: Scope,
    operation: &'static str,
    limit: Option<Duration>,
    queued: Instant,
    body: Body,
    reply: oneshot::Sender<Result<Answer>>,
}

impl Job {
    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    pub(crate) const fn limit(&self) -> Option<Duration> {
        self.limit
    }

    /// Nobody waits any more, or has waited too long: its changes would be made behind the caller's back.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.reply.is_closed() || self.queued.elapsed() > LONGEST_WAIT
    }

    pub(crate) fn finish(self, ran: Ran) {
        // A caller that went away needs no answer.
        drop(self.reply.send(ran.0));
    }

    pub(crate) fn abandon(self) {
        self.finish(Ran::failed(away()));
    }
}

fn away() -> Error {
    Error::new(ErrorCode::Unavailable, "the database did not answer; repeat the call with the same Idempotency-Key")
}

/// How a closure ended.
pub(crate) struct Ran(Result<Answer>);

impl Ran {
    pub(crate) const fn is_done(&self) -> bool {
        self.0.is_ok()
    }

    pub(crate) const fn failed(cause: Error) -> Self {
        Self(Err(cause))
    }

    pub(crate) fn expired() -> Self {
        Self(Err(Error::new(ErrorCode::Unavailable, "the server is overloaded; repeat the call in a few seconds")))
    }
}

/// Runs a job's closure; a panic in it becomes an error and the thread lives. Also answers what
/// is to be done in memory once it is committed.
pub(crate) fn run_caught(job: &Job, connection: Connection<'_>, after: &AfterCommit) -> (Ran, Effects) {
    let begun = Instant::now();
    let mut tx = Tx::new(job.scope, connection, &after.totals);
    let outcome = catch_unwind(AssertUnwindSafe(|| (job.body)(&mut tx)));
    let took = begun.elapsed();
    if took > SLOW {
        tracing::warn!(operation = job.operation, millis = took.as_millis() as u64, "a transaction was slow");
    }
    let effects = tx.into_effects();
    match outcome {
        Ok(result) => (Ran(result), effects),
        Err(payload) => {
            let text = payload
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| payload.downcast_ref::<&str>().copied())
                .unwrap_or("no message");
            (Ran::failed(Error::internal_defect(format!("{} panicked: {text}", job.operation))), Effects::default())
        }
    }
}

/// The sending side of a database's bounded queue.
#[derive(Clone)]
pub(crate) struct Queue(SyncSender<Job>);

/// The receiving side, shared by the threads that serve it.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Mutex<Receiver<Job>>>);

impl Queue {
    pub(crate) fn new(depth: usize) -> (Self, Jobs) {
        let (sender, receiver) = sync_channel(depth);
        (Self(sender), Jobs(Arc::new(Mutex::new(receiver))))
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        limit: Option<Duration>,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let body: Body = Box::new(move |tx| body(tx).map(|value| Box::new(value) as Answer));
        let job = Job { scope, operation, limit, queued: Instant::now(), body, reply };
        self.0.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Error::new(ErrorCode::Unavailable, "the server is overloaded; repeat the call in a few seconds")
            }
            TrySendError::Disconnected(_) => away(),
        })?;
        let answer = answer.await.map_err(|_| away())??;
        answer
            .downcast::<T>()
            .map(|value| *value)
            .map_err(|_| Error::internal_defect("a transaction answered another type than it was asked for"))
    }
}

impl Jobs {
    /// Waits for one job and takes what else is there, up to `most`. `None` when no sender is left.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Job>> {
        let receiver = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut batch = vec![receiver.recv().ok()?];
        while batch.len() < most {
            match receiver.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        Some(batch)
    }
}
