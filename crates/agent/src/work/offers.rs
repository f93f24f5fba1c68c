//! Offers: verified, journaled, acknowledged, run.

use tokio::sync::oneshot;

use plimsoll_core::{Result, id::TaskId};
use plimsoll_protocol::agent::{
    AgentFrame,
    order::{TaskOffer, TaskOrder},
    report::{TaskAck, TaskError},
};

use super::{
    Event, Work,
    held::{Held, Stage},
};
use crate::{
    masking::Masker,
    task::{
        entry::{Entry, StopReason},
        journal::{FileJournal, Journal},
        logger::TaskLogger,
        machine::Machine,
        runner::{Reoffer, Runner},
        secrets::Secrets,
    },
};

impl Work {
    /// Takes an offer. The same task and epoch is acknowledged again and done once.
    pub(super) async fn offered(&mut self, offer: TaskOffer) {
        fail::fail_point!("agent::offer_received");
        let known = self.tasks.get(&offer.task_id).map(|held| (held.epoch, held.is_open()));
        match known {
            Some((epoch, _)) if epoch > offer.epoch => {}
            Some((epoch, open)) if epoch == offer.epoch => {
                self.ack(&offer, None);
                if !open {
                    self.send_results();
                }
            }
            Some((_, open)) => match self.shared.verified(&offer) {
                Ok(_) if open => self.offered_again(offer),
                Ok(_) => self.offered_after_end(offer).await,
                Err(error) => self.ack(&offer, Some(error)),
            },
            None => self.offered_first(offer).await,
        }
    }

    async fn offered_first(&mut self, offer: TaskOffer) {
        let order = match self.shared.verified(&offer) {
            Ok(order) => order,
            Err(error) => {
                tracing::warn!(task = %offer.task_id, %error, "refuses an offer");
                return self.ack(&offer, Some(error));
            }
        };
        let (journal, machine) = match self.journaled(&offer).await {
            Ok(journaled) => journaled,
            Err(error) => {
                // Not acknowledged: the server offers it again, here or elsewhere.
                tracing::error!(task = %offer.task_id, %error, "an offer could not be written down");
                return;
            }
        };
        fail::fail_point!("agent::journal_written");
        self.ack(&offer, None);
        self.supersede(&order);
        self.watch.learn(order.target.clone());
        self.hold(order.task_id, Held::new(machine, journal));
    }

    async fn journaled(&self, offer: &TaskOffer) -> Result<(FileJournal, Machine)> {
        let (mut journal, mut entries) = self.journals.load(offer.task_id).await?;
        let entry = Entry::Offered { offer: offer.clone(), at: self.shared.context.now() };
        journal.append(&entry).await?;
        entries.push(entry);
        Ok((journal, Machine::replay(entries)?))
    }

    /// The task runs or waits: it goes on under the higher epoch, acknowledged when that is on disk.
    fn offered_again(&mut self, offer: TaskOffer) {
        let Some(held) = self.tasks.get_mut(&offer.task_id) else { return };
        let ack = TaskAck { task_id: offer.task_id, epoch: offer.epoch, refusal: None };
        let (journaled, done) = oneshot::channel();
        held.epoch = offer.epoch;
        if held.offers.try_send(Reoffer { offer, journaled }).is_err() {
            return;
        }
        let outbox = self.shared.outbox.clone();
        tokio::spawn(async move {
            if done.await.is_ok() {
                outbox.push(AgentFrame::Ack(ack));
            }
        });
        self.tell_held();
    }

    /// The task is done and the server does not know: its result is the answer, under the higher epoch.
    async fn offered_after_end(&mut self, offer: TaskOffer) {
        match self.journaled(&offer).await {
            Ok((journal, machine)) => {
                self.ack(&offer, None);
                self.hold(offer.task_id, Held::new(machine, journal));
                self.send_results();
            }
            Err(error) => tracing::error!(task = %offer.task_id, %error, "an offer could not be written down"),
        }
    }

    /// An older task for the same application on the same target is given up: the server has gone on.
    fn supersede(&self, order: &TaskOrder) {
        let older = self.tasks.values().filter(|held| {
            held.is_open()
                && held.target == order.target.id
                && held.application == order.application
                && held.epoch < order.epoch
        });
        older.for_each(|held| held.stop(StopReason::Superseded));
    }

    fn ack(&self, offer: &TaskOffer, refusal: Option<TaskError>) {
        self.shared.outbox.push(AgentFrame::Ack(TaskAck { task_id: offer.task_id, epoch: offer.epoch, refusal }));
    }

    /// Runs a task whose turn it is.
    pub(super) fn start(&mut self, task: TaskId) {
        let Some(held) = self.tasks.get_mut(&task) else { return self.lanes.done(task) };
        let Stage::Queued(ready) = std::mem::replace(&mut held.stage, Stage::Running) else { return };
        let order = ready.machine.order().clone();
        let driver = self.drivers.open(&order.target);
        let fence = match self.drivers.fence(&order.target) {
            Ok(fence) => fence,
            Err(error) => {
                tracing::error!(%task, %error, "the task's target can't be used for now");
                self.tasks.remove(&task);
                self.lanes.done(task);
                return self.take_up_later(task);
            }
        };
        let shared = self.shared.clone();
        let masker = Masker::default();
        let log = TaskLogger::new(task, order.epoch, shared.context.clone(), shared.outbox.clone(), masker.clone());
        let secrets = Secrets::new(task, order.epoch, shared.secrets.clone(), shared.outbox.clone(), masker);
        let mut runner = Runner {
            driver,
            journal: ready.journal,
            machine: ready.machine,
            fence,
            lease: shared.lease.clone(),
            log,
            secrets,
            context: shared.context.clone(),
            stop: held.stop.subscribe(),
            offers: ready.offers,
        };
        let events = self.events.clone();
        tokio::spawn(async move {
            let ended = runner.run().await;
            drop(runner);
            // The agent is stopping when nobody takes it; the journal has it.
            _ = events.send(Event::Ended(task, ended)).await;
        });
    }
}
