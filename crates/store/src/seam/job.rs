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
/// How long the writer waits for those who shared the last flush and are about to come again. It is of the length of a
/// flush to a disk (the same as PostgreSQL's `commit_delay`): who waits for company waits no longer than for another
/// flush, and pages that several changes touch are written once.
const GATHER: Duration = Duration::from_micros(200);
/// A closure that takes longer is logged.
const SLOW: Duration = Duration::from_millis(50);

type Answer = Box<dyn Any + Send>;
type Body = Box<dyn Fn(&mut Tx<'_>) -> Result<Answer> + Send>;

/// What a closure is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    /// It changes rows.
    Change,
    /// It only reads; a statement of it is ended after the time, if one is given.
    Read(Option<Duration>),
}

/// A closure with all that its thread needs to know.
pub(crate) struct Job {
    scope: Scope,
    operation: &'static str,
    purpose: Purpose,
    queued: Instant,
    body: Body,
    reply: oneshot::Sender<Result<Answer>>,
}

impl Job {
    pub(crate) const fn scope(&self) -> Scope {
        self.scope
    }

    pub(crate) const fn limit(&self) -> Option<Duration> {
        match self.purpose {
            Purpose::Change => None,
            Purpose::Read(limit) => limit,
        }
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
        let cause = away(self.purpose);
        self.finish(Ran::failed(cause));
    }
}

fn away(purpose: Purpose) -> Error {
    let text = match purpose {
        // Whether it was done is not known.
        Purpose::Change => "the database did not answer; repeat the call with the same Idempotency-Key",
        Purpose::Read(_) => "the database did not answer; repeat the call",
    };
    Error::new(ErrorCode::Unavailable, text)
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
    let failed = tx.has_failed();
    let effects = tx.into_effects();
    match outcome {
        Ok(Ok(_)) if failed => (
            Ran::failed(Error::internal_defect(format!("{} went on after a statement failed", job.operation))),
            effects,
        ),
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

enum Message {
    Job(Job),
    Close(oneshot::Sender<()>),
}

/// The sending side of a database's bounded queue.
#[derive(Clone)]
pub(crate) struct Queue(SyncSender<Message>);

/// The receiving side, shared by the threads that serve it.
#[derive(Clone)]
pub(crate) struct Jobs(Arc<Mutex<Inbox>>);

struct Inbox {
    receiver: Receiver<Message>,
    closing: Option<oneshot::Sender<()>>,
}

impl Queue {
    pub(crate) fn new(depth: usize) -> (Self, Jobs) {
        let (sender, receiver) = sync_channel(depth);
        (Self(sender), Jobs(Arc::new(Mutex::new(Inbox { receiver, closing: None }))))
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        purpose: Purpose,
        body: impl Fn(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let body: Body = Box::new(move |tx| body(tx).map(|value| Box::new(value) as Answer));
        let job = Job { scope, operation, purpose, queued: Instant::now(), body, reply };
        self.0.try_send(Message::Job(job)).map_err(|refused| match refused {
            TrySendError::Full(_) => {
                Error::new(ErrorCode::Unavailable, "the server is overloaded; repeat the call in a few seconds")
            }
            TrySendError::Disconnected(_) => away(purpose),
        })?;
        let answer = answer.await.map_err(|_| away(purpose))??;
        answer
            .downcast::<T>()
            .map(|value| *value)
            .map_err(|_| Error::internal_defect("a transaction answered another type than it was asked for"))
    }

    /// After what is queued nothing more is taken. The answer comes when a thread says [`Jobs::closed`]; an error is
    /// a thread that went away without.
    pub(crate) fn close(&self) -> oneshot::Receiver<()> {
        let (done, answer) = oneshot::channel();
        // A queue that is full is not closed: the answer is an error at once.
        drop(self.0.try_send(Message::Close(done)));
        answer
    }
}

impl Inbox {
    /// Takes `next` and what else is there, until there are `most`.
    fn fill(&mut self, batch: &mut Vec<Job>, mut next: Option<Message>, most: usize) {
        loop {
            match next {
                Some(Message::Job(job)) => batch.push(job),
                Some(Message::Close(done)) => self.closing = Some(done),
                None => return,
            }
            if self.closing.is_some() || batch.len() >= most {
                return;
            }
            next = self.receiver.try_recv().ok();
        }
    }
}

impl Jobs {
    /// Waits for one job and takes what else is there, up to `most`. `None` when the queue was closed, or no sender
    /// is left.
    pub(crate) fn take(&self, most: usize) -> Option<Vec<Job>> {
        let mut inbox = self.inbox();
        let mut batch = Vec::new();
        if inbox.closing.is_none() {
            let first = inbox.receiver.recv().ok();
            inbox.fill(&mut batch, first, most);
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// The same for jobs that share a flush to disk: waits a moment when fewer are there than the last time. Who is
    /// alone waits for nobody.
    pub(crate) fn take_group(&self, most: usize, last_time: usize) -> Option<Vec<Job>> {
        let mut batch = self.take(most)?;
        if batch.len() < last_time.min(most) {
            std::thread::sleep(GATHER);
            let mut inbox = self.inbox();
            if inbox.closing.is_none() {
                let next = inbox.receiver.try_recv().ok();
                inbox.fill(&mut batch, next, most);
            }
        }
        Some(batch)
    }

    /// Tells who closed the queue that its thread has done all that it had to.
    pub(crate) fn closed(&self) {
        if let Some(done) = self.inbox().closing.take() {
            let heard = done.send(()).is_ok();
            tracing::debug!(heard, "the database is closed");
        }
    }

    fn inbox(&self) -> std::sync::MutexGuard<'_, Inbox> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
