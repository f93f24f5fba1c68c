//! The agent's work: takes offers, runs one task a target at a time, keeps results until they are
//! acknowledged, answers questions about targets.

mod drivers;
mod held;
mod lanes;
mod offers;
mod watch;

pub use drivers::{AnyDriver, Drivers};

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};

use plimsoll_core::{Result, deployment::Remains, id::TaskId};
use plimsoll_protocol::agent::{
    AgentFrame, ServerFrame,
    order::{ServerHello, TaskCancel},
    report::{HeldTask, ResultAck, ResultVerdict, TaskError, TaskErrorCode, TaskOutcome, TaskResult},
};

use crate::{
    session::shared::Shared,
    task::{
        entry::StopReason,
        journal::{Journals, Trace},
        machine::Machine,
    },
};
use held::{Held, Stage};
use lanes::Lanes;

/// The error of a task whose journal was damaged: nobody knows how far it came.
fn forgotten() -> TaskError {
    TaskError::new(
        TaskErrorCode::AgentDefect,
        "the task's journal was damaged, so the agent can't tell how far it came",
    )
    .hint("what runs on the target is read from it; look at the agent's disk")
}

/// What happens to the agent's work.
#[derive(Debug)]
pub enum Event {
    /// A connection is up.
    Connected,
    /// The server said something.
    Frame(ServerFrame),
    /// The server says that these are not this agent's any more.
    Revoked(Vec<HeldTask>),
    /// The server wants these stopped.
    CancelTasks(Vec<TaskId>),
    /// A task came to its end, or can't go on for now.
    Ended(TaskId, Result<TaskResult>),
    /// A task is to be taken up from its journal.
    TakeUp(TaskId),
}

/// The work itself: one actor, which owns all of its state.
pub struct Work {
    shared: Shared,
    drivers: Drivers,
    journals: Journals,
    events: mpsc::Sender<Event>,
    tasks: BTreeMap<TaskId, Held>,
    lanes: Lanes,
    watch: watch::Watch,
}

/// Between two looks at what runs, and two sendings of a result that nobody acknowledges.
const TICK: Duration = Duration::from_secs(15);
/// A task that can't go on (a full disk) is taken up again after this.
const PAUSE: Duration = Duration::from_secs(5);

impl Work {
    /// With what the journals and the agent's files hold.
    pub async fn open(shared: Shared, events: mpsc::Sender<Event>) -> Result<Self> {
        let drivers = Drivers::new(&shared.config, shared.context.clone())?;
        let journals = Journals::open(&shared.config.data_directory)?;
        let watch = watch::Watch::new(shared.clone(), drivers.clone(), shared.home.targets()?);
        let mut work =
            Self { shared, drivers, journals, events, tasks: BTreeMap::new(), lanes: Lanes::default(), watch };
        for task in work.journals.tasks()? {
            work.take_up(task).await;
        }
        Ok(work)
    }

    /// Works until nobody tells it anything any more.
    pub async fn run(mut self, mut received: mpsc::Receiver<Event>) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = received.recv() => match event {
                    Some(event) => self.handle(event).await,
                    None => return,
                },
                _ = ticks.tick() => {
                    self.send_results();
                    self.watch.tick();
                }
            }
        }
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Connected => {
                self.send_results();
                self.watch.tell_all();
            }
            Event::Frame(frame) => self.frame(frame).await,
            Event::Revoked(tasks) => {
                for revoked in tasks {
                    self.stop(revoked.task_id, Some(revoked.epoch), StopReason::Revoked);
                }
            }
            Event::CancelTasks(tasks) => {
                for task in tasks {
                    self.stop(task, None, StopReason::Cancelled);
                }
            }
            Event::Ended(task, Ok(result)) => self.ended(task, result),
            Event::Ended(task, Err(error)) => {
                tracing::error!(%task, %error, "a task can't go on for now");
                self.lanes.done(task);
                self.tasks.remove(&task);
                self.take_up_later(task);
                self.start_ready();
            }
            Event::TakeUp(task) => self.take_up(task).await,
        }
    }

    async fn frame(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Hello(hello) => self.hello(hello),
            ServerFrame::Offer(offer) => self.offered(offer).await,
            ServerFrame::Cancel(cancel) => self.cancelled(cancel),
            ServerFrame::SecretValue(value) => self.shared.secrets.deliver(value),
            ServerFrame::ResultAck(ack) => self.acknowledged(ack),
            ServerFrame::Observe(request) => self.watch.answer(request),
            // The connection itself takes these.
            ServerFrame::LeaseRenewed(_) => {}
        }
    }

    fn hello(&mut self, hello: ServerHello) {
        tracing::info!(server = hello.server_version, targets = hello.targets.len(), "the server greets");
        self.shared.set_keys(hello.server_keys);
        if let Err(error) = self.shared.home.keep_targets(&hello.targets) {
            tracing::warn!(%error, "the list of targets could not be kept");
        }
        self.watch.serve(hello.targets);
    }

    fn cancelled(&mut self, cancel: TaskCancel) {
        if self.tasks.contains_key(&cancel.task_id) {
            return self.stop(cancel.task_id, Some(cancel.epoch), StopReason::Cancelled);
        }
        let (outcome, remains, error) = match self.journals.trace(cancel.task_id) {
            // The offer never came, or the result is acknowledged already: nothing of it is or will be done.
            Trace::None => (TaskOutcome::Cancelled, Some(Remains::Restored), StopReason::Cancelled.error()),
            // It is taken up again in a moment, and the server says it again.
            Trace::Kept => return,
            Trace::PutAside => (TaskOutcome::Unknown, None, forgotten()),
        };
        let now = self.shared.context.now();
        self.shared.outbox.push(AgentFrame::Result(TaskResult {
            task_id: cancel.task_id,
            epoch: cancel.epoch,
            outcome,
            started_at: now,
            finished_at: now,
            components: Vec::new(),
            remains,
            sticker_placed: false,
            error: Some(error),
            epoch_in_force: None,
        }));
    }

    /// Stops a task that is held by the given offer or an older one.
    fn stop(&self, task: TaskId, epoch: Option<u64>, reason: StopReason) {
        if let Some(held) = self.tasks.get(&task)
            && epoch.is_none_or(|epoch| held.epoch <= epoch)
        {
            held.stop(reason);
        }
    }

    fn ended(&mut self, task: TaskId, result: TaskResult) {
        if let Some(held) = self.tasks.get_mut(&task) {
            held.epoch = result.epoch;
            held.stage = Stage::Ended(Box::new(result.clone()));
        }
        self.lanes.done(task);
        self.shared.outbox.push(AgentFrame::Result(result));
        self.start_ready();
        self.watch.tell_all();
    }

    fn acknowledged(&mut self, ack: ResultAck) {
        let ended = self.tasks.get(&ack.task_id).is_some_and(|held| !held.is_open() && held.epoch <= ack.epoch);
        if !ended {
            return;
        }
        if ack.verdict == ResultVerdict::Stale {
            tracing::warn!(task = %ack.task_id, "the server gave the task up before its result came");
        }
        if let Err(error) = self.journals.forget(ack.task_id) {
            tracing::warn!(%error, "a finished journal could not be removed");
        }
        self.tasks.remove(&ack.task_id);
        self.tell_held();
    }

    fn send_results(&self) {
        for held in self.tasks.values() {
            if let Stage::Ended(result) = &held.stage {
                self.shared.outbox.push(AgentFrame::Result((**result).clone()));
            }
        }
    }

    /// Takes a task up from its journal. A damaged one is put aside: the server settles the target by what it
    /// observes.
    async fn take_up(&mut self, task: TaskId) {
        let loaded = self.journals.load(task).await;
        let machine = loaded.and_then(|(journal, entries)| Ok((Machine::replay(entries)?, journal)));
        match machine {
            Ok((machine, journal)) => {
                tracing::info!(%task, "takes up a task from its journal");
                self.hold(task, Held::new(machine, journal));
            }
            Err(error) if error.code() == plimsoll_core::ErrorCode::Unavailable => {
                tracing::error!(%task, %error, "a journal can't be read for now");
                self.take_up_later(task);
            }
            Err(error) => match self.journals.put_aside(task) {
                Ok(path) => {
                    tracing::error!(%task, ?error, path = %path.display(), "a journal is damaged and put aside");
                }
                Err(cause) => tracing::error!(%task, ?error, %cause, "a journal is damaged and can't be put aside"),
            },
        }
    }

    fn take_up_later(&self, task: TaskId) {
        let events = self.events.clone();
        tokio::spawn(async move {
            tokio::time::sleep(PAUSE).await;
            // The agent is stopping when nobody takes it.
            _ = events.send(Event::TakeUp(task)).await;
        });
    }

    fn hold(&mut self, task: TaskId, held: Held) {
        if held.is_open() {
            self.lanes.queue(held.target, task);
        }
        self.tasks.insert(task, held);
        self.start_ready();
    }

    /// Starts every task whose target is free.
    fn start_ready(&mut self) {
        let tasks = &self.tasks;
        let ready = self.lanes.ready(|task| tasks.get(&task).map_or(0, |held| held.epoch));
        for task in ready {
            self.start(task);
        }
        self.tell_held();
    }

    /// The tasks in hand, as lease and heartbeats name them.
    fn tell_held(&self) {
        let open = self.tasks.iter().filter(|(_, held)| held.is_open());
        let held = open.map(|(task, held)| HeldTask { task_id: *task, epoch: held.epoch }).collect();
        self.shared.held.send_replace(held);
    }
}
