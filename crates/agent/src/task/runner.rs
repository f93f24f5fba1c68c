//! Does what the machine says: journal first, then the step, then the journal again.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot, watch},
    time::Instant,
};

use plimsoll_core::{Result, context::Context};
use plimsoll_protocol::agent::{
    order::{TaskOffer, TaskOrder},
    report::{StepKind, StepStatus, TaskError, TaskErrorCode, TaskResult},
    secret::SecretRef,
};

use super::{
    entry::{Entry, StopReason},
    journal::Journal,
    logger::TaskLogger,
    machine::{Action, End, Machine, SetState},
    secrets::Secrets,
    step::Step,
    telling::{closing, opening, remains, unseen, word},
};
use crate::{
    drivers::{Applied, Driver, Outcome, Scope},
    fence::{Fence, Passage},
    lease::{Lease, Standing},
};

/// Everything that one task needs to run.
pub struct Runner<D, J> {
    /// The kind of target.
    pub driver: D,
    /// The task's journal, which `machine` was read from.
    pub journal: J,
    /// The task.
    pub machine: Machine,
    /// The target's fence.
    pub fence: Fence,
    /// The agent's lease.
    pub lease: Lease,
    /// The task's voice.
    pub log: TaskLogger,
    /// The task's secrets.
    pub secrets: Secrets,
    /// Time.
    pub context: Context,
    /// A wish to stop.
    pub stop: watch::Receiver<Option<StopReason>>,
    /// The same task offered again.
    pub offers: mpsc::Receiver<Reoffer>,
}

/// A task that is in hand was offered again.
#[derive(Debug)]
pub struct Reoffer {
    /// The newer offer, verified.
    pub offer: TaskOffer,
    /// Told when it is on disk.
    pub journaled: oneshot::Sender<()>,
}

/// How often a step is tried whose engine does not answer: it may be restarting.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(2);
/// How often an undo step is tried.
const UNDO_ATTEMPTS: u32 = 3;
/// For as long an engine may be away (restarting) before an undo step is given up.
const UNDO_PATIENCE: Duration = Duration::from_mins(1);

/// What came of a step.
enum Did {
    Done(Applied),
    Failed(TaskError),
    Stopped(StopReason),
}

impl<D: Driver, J: Journal> Runner<D, J> {
    /// Runs the task to its end and returns what is to be reported. An error means that the journal can't be
    /// written: nothing was done that it doesn't hold, and a restarted agent goes on from it.
    pub async fn run(&mut self) -> Result<TaskResult> {
        let ended = self.run_on().await;
        self.log.unfollow().await;
        ended
    }

    async fn run_on(&mut self) -> Result<TaskResult> {
        let seconds = self.machine.order().hints.deadline_seconds;
        let deadline = Instant::now() + Duration::from_secs(u64::from(seconds));
        loop {
            self.take_offers().await?;
            if let Some(reason) = self.wish(deadline)
                && self.turn_back(reason).await?
            {
                continue;
            }
            match self.machine.next() {
                Action::Plan => self.plan(deadline).await?,
                Action::Apply(index, step) => {
                    let step = step.clone();
                    self.apply(index, &step, deadline).await?;
                }
                Action::Undo(index, step) => {
                    let step = step.clone();
                    self.undo(index, &step).await?;
                }
                Action::Conclude(end) => {
                    let end = end.clone();
                    self.conclude(end).await?;
                }
                Action::Report(result) => {
                    let result = result.clone();
                    self.log.flush();
                    return Ok(result);
                }
            }
        }
    }

    async fn plan(&mut self, deadline: Instant) -> Result<()> {
        if !self.permitted(deadline).await? {
            return Ok(());
        }
        let order = Arc::new(self.machine.order().clone());
        self.log.say(None, opening(&order));
        match self.driver.plan(self.scope(&order)).await {
            Ok(plan) => self.write(Entry::Planned { plan }).await,
            Err(error) => {
                self.log.say(None, format!("no plan could be made: {error}"));
                self.write(Entry::NotPlanned { error }).await
            }
        }
    }

    async fn apply(&mut self, index: usize, step: &Step, deadline: Instant) -> Result<()> {
        if !self.permitted(deadline).await? {
            return Ok(());
        }
        self.write(Entry::Began { index, at: self.context.now() }).await?;
        fail::fail_point!("agent::step_begun");
        self.log.progress(step.kind(), step.component(), StepStatus::Started, None);
        match self.perform(step, deadline).await? {
            Did::Done(applied) => {
                passed(step.kind());
                self.log.progress(step.kind(), step.component(), StepStatus::Succeeded, None);
                self.write(Entry::Done { index, healthy_since: applied.healthy_since }).await
            }
            Did::Failed(error) => {
                let error = self.masked(error).await;
                let text = error.to_string();
                self.log.progress(step.kind(), step.component(), StepStatus::Failed, Some(&text));
                self.log.say(step.component(), format!("{}: {text}", word(step.kind())));
                if error.code == TaskErrorCode::StaleEpoch {
                    return self.write(Entry::Fenced { error }).await;
                }
                self.write(Entry::Failed { index, error }).await
            }
            Did::Stopped(reason) => self.turn_back(reason).await.map(|_| ()),
        }
    }

    /// Does a step; one that only waits is left when the task is to stop.
    async fn perform(&mut self, step: &Step, deadline: Instant) -> Result<Did> {
        let order = Arc::new(self.machine.order().clone());
        let passage = match self.enter(&order).await {
            Ok(passage) => passage,
            Err(error) => return Ok(Did::Failed(error)),
        };
        // A long wait must not keep another agent of the host from seeing the fence.
        let _held = (!step.may_be_left()).then_some(passage);
        let leave = step.may_be_left();
        let scope = Scope { order: &order, log: &self.log, secrets: &self.secrets };
        let work = apply_patiently(&self.driver, scope, step);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return Ok(done.map_or_else(Did::Failed, Did::Done)),
                reason = stopped(&mut self.stop, &self.lease, deadline), if leave => {
                    if self.machine.stop(reason).is_some() {
                        return Ok(Did::Stopped(reason));
                    }
                    return Ok((&mut work).await.map_or_else(Did::Failed, Did::Done));
                }
                Some(offer) = self.offers.recv() => {
                    offered_again(&mut self.journal, &mut self.machine, &self.context, &self.log, &self.secrets, offer).await?;
                }
            }
        }
    }

    async fn undo(&mut self, index: usize, step: &Step) -> Result<()> {
        self.write(Entry::UndoBegan { index }).await?;
        fail::fail_point!("agent::undo_begun");
        let detail = format!("takes back: {}", word(step.kind()));
        self.log.progress(StepKind::Undo, step.component(), StepStatus::Started, Some(&detail));
        let order = Arc::new(self.machine.order().clone());
        let give_up = Instant::now() + UNDO_PATIENCE;
        let mut attempt = 1;
        let outcome = loop {
            match self.undo_once(&order, step).await {
                Err(error) if may_pass(&error, attempt, give_up) => {
                    self.log.say(step.component(), format!("undo, attempt {attempt}: {error}"));
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                outcome => break outcome,
            }
        };
        fail::fail_point!("agent::undone");
        match outcome {
            Ok(()) => {
                self.log.progress(StepKind::Undo, step.component(), StepStatus::Succeeded, Some(&detail));
                self.write(Entry::Undone { index, at: Some(self.context.now()) }).await
            }
            Err(error) if error.code == TaskErrorCode::StaleEpoch => self.write(Entry::Fenced { error }).await,
            Err(error) => {
                let text = error.to_string();
                self.log.progress(StepKind::Undo, step.component(), StepStatus::Failed, Some(&text));
                self.write(Entry::NotUndone { index, error }).await
            }
        }
    }

    async fn undo_once(&self, order: &TaskOrder, step: &Step) -> Outcome<()> {
        let _passage = self.enter(order).await?;
        self.driver.undo(self.scope(order), step).await
    }

    /// A set that is said to be back runs: its engine may have ended it meanwhile without this task's doing.
    async fn seen_back(&self, end: End, order: &TaskOrder) -> End {
        let give_up = Instant::now() + UNDO_PATIENCE;
        let mut attempt = 1;
        loop {
            let seen = async {
                let _passage = self.enter(order).await?;
                self.driver.restore(self.scope(order), self.machine.plan()).await
            };
            match seen.await {
                Ok(()) => return end,
                Err(error) if may_pass(&error, attempt, give_up) => {
                    attempt += 1;
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => return end.but_not_restored(&error),
            }
        }
    }

    async fn conclude(&mut self, end: End) -> Result<()> {
        let order = Arc::new(self.machine.order().clone());
        self.log.unfollow().await;
        let end = if self.machine.is_back() { self.seen_back(end, &order).await } else { end };
        let components = match self.driver.report(self.scope(&order), &self.machine).await {
            Ok(components) => components,
            Err(error) => {
                self.log.say(None, format!("what runs now could not be looked at: {error}"));
                unseen(&self.machine)
            }
        };
        let result = TaskResult {
            task_id: order.task_id,
            epoch: order.epoch,
            outcome: end.outcome,
            started_at: self.machine.started_at(),
            finished_at: self.context.now(),
            components,
            remains: remains(&end),
            sticker_placed: end.set == SetState::New && order.sticker.is_some(),
            epoch_in_force: self.epoch_in_force(&end, &order).await,
            error: end.error,
        };
        self.log.say(None, closing(&result));
        self.write(Entry::Finished { result }).await?;
        fail::fail_point!("agent::result_journaled");
        Ok(())
    }

    /// The epoch that fenced the task off: a server whose database knows less goes on from it.
    async fn epoch_in_force(&self, end: &End, order: &TaskOrder) -> Option<u64> {
        end.error.as_ref().filter(|error| error.code == TaskErrorCode::StaleEpoch)?;
        let found = self.driver.highest_epoch(&order.target).await.unwrap_or_default();
        let marked = self.fence.epoch().unwrap_or_default();
        Some(found.max(marked)).filter(|highest| *highest > order.epoch)
    }

    /// An error as it may leave the host. A component's last words (its lines, the output of its health
    /// check) may show its secrets, which a restarted agent does not know yet: they are asked for again, and
    /// without them the words stay here.
    async fn masked(&self, error: TaskError) -> TaskError {
        let components = self.machine.order().spec.iter().flat_map(|spec| &spec.components);
        let mounts = components.flat_map(|component| &component.runtime.secrets);
        let wanted: Vec<SecretRef> = mounts.map(|mount| SecretRef::Environment { name: mount.name.clone() }).collect();
        let quotes =
            matches!(error.code, TaskErrorCode::StartFailed | TaskErrorCode::Unhealthy | TaskErrorCode::Unstable);
        if quotes && self.secrets.get(&wanted).await.is_err() {
            const WITHHELD: &str = "(withheld: the secrets to be masked in it could not be asked for)";
            return TaskError { message: WITHHELD.to_owned(), log_tail: vec![WITHHELD.to_owned()], ..error };
        }
        let masker = self.log.masker();
        TaskError {
            message: masker.mask(&error.message),
            log_tail: masker.mask(&error.log_tail.join("\n")).lines().map(ToOwned::to_owned).collect(),
            ..error
        }
    }

    /// Passes the fence.
    async fn enter(&self, order: &TaskOrder) -> Outcome<Passage> {
        let found = self.driver.highest_epoch(&order.target).await?;
        self.fence.enter(order.epoch, found).await
    }

    /// Whether a step may begin: waits for a first lease after a start of the agent. Without a lease a set
    /// that is healthy already is still finished.
    async fn permitted(&mut self, deadline: Instant) -> Result<bool> {
        if self.lease.standing() == Standing::Awaited {
            let (stop, lease) = (&mut self.stop, &self.lease);
            tokio::select! {
                _ = lease.settled() => {}
                reason = stopped(stop, lease, deadline) => return Ok(!self.turn_back(reason).await?),
            }
        }
        match self.lease.standing() {
            Standing::Valid => Ok(true),
            Standing::Awaited | Standing::Lost => Ok(!self.turn_back(StopReason::LeaseLost).await?),
        }
    }

    /// Turns back unless it is too late for that; says whether it did.
    async fn turn_back(&mut self, reason: StopReason) -> Result<bool> {
        let Some(entry) = self.machine.stop(reason) else { return Ok(false) };
        self.log.say(None, reason.error().message);
        self.write(entry).await?;
        Ok(true)
    }

    fn wish(&self, deadline: Instant) -> Option<StopReason> {
        let asked = *self.stop.borrow();
        let late = || (Instant::now() >= deadline).then_some(StopReason::DeadlineExceeded);
        let worn = || self.machine.worn_out().then_some(StopReason::TooManyRestarts);
        let lost = || (self.lease.standing() == Standing::Lost).then_some(StopReason::LeaseLost);
        asked.or_else(worn).or_else(late).or_else(lost)
    }

    async fn take_offers(&mut self) -> Result<()> {
        while let Ok(offer) = self.offers.try_recv() {
            let (journal, machine) = (&mut self.journal, &mut self.machine);
            offered_again(journal, machine, &self.context, &self.log, &self.secrets, offer).await?;
        }
        Ok(())
    }

    async fn write(&mut self, entry: Entry) -> Result<()> {
        self.journal.append(&entry).await?;
        self.machine.take(entry)
    }

    fn scope<'a>(&'a self, order: &'a TaskOrder) -> Scope<'a> {
        Scope { order, log: &self.log, secrets: &self.secrets }
    }
}

/// The same task came again with a higher epoch: it goes on under that one.
async fn offered_again<J: Journal>(
    journal: &mut J,
    machine: &mut Machine,
    context: &Context,
    log: &TaskLogger,
    secrets: &Secrets,
    again: Reoffer,
) -> Result<()> {
    let Reoffer { offer, journaled } = again;
    if offer.epoch <= machine.order().epoch {
        return Ok(());
    }
    log.set_epoch(offer.epoch);
    secrets.set_epoch(offer.epoch);
    let entry = Entry::Offered { offer, at: context.now() };
    journal.append(&entry).await?;
    // Nobody waits for it when the agent is stopping.
    _ = journaled.send(());
    machine.take(entry)
}

/// Waits for a reason to stop.
async fn stopped(stop: &mut watch::Receiver<Option<StopReason>>, lease: &Lease, deadline: Instant) -> StopReason {
    let asked = async {
        loop {
            if let Some(reason) = *stop.borrow_and_update() {
                return reason;
            }
            if stop.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        reason = asked => reason,
        () = lease.lost() => StopReason::LeaseLost,
        () = tokio::time::sleep_until(deadline) => StopReason::DeadlineExceeded,
    }
}

/// Steps may be done twice, so one whose engine did not answer is.
async fn apply_patiently<D: Driver>(driver: &D, scope: Scope<'_>, step: &Step) -> Outcome<Applied> {
    for _ in 1..ATTEMPTS {
        match driver.apply(scope, step).await {
            Err(error) if error.code == TaskErrorCode::EngineUnavailable => {
                scope.log.say(step.component(), format!("{}, tried again: {error}", word(step.kind())));
            }
            outcome => return outcome,
        }
        tokio::time::sleep(PAUSE).await;
    }
    driver.apply(scope, step).await
}

/// Whether an undo step that failed is tried again.
fn may_pass(error: &TaskError, attempt: u32, give_up: Instant) -> bool {
    let is_away = error.code == TaskErrorCode::EngineUnavailable && Instant::now() < give_up;
    error.code != TaskErrorCode::StaleEpoch && (is_away || attempt < UNDO_ATTEMPTS)
}

/// The fail points after steps.
#[cfg_attr(not(feature = "failpoints"), allow(clippy::match_same_arms, reason = "the points are nothing then"))]
fn passed(step: StepKind) {
    match step {
        StepKind::Pull => fail::fail_point!("agent::pulled"),
        StepKind::Start => fail::fail_point!("agent::started"),
        StepKind::Health => fail::fail_point!("agent::healthy"),
        StepKind::Switch => fail::fail_point!("agent::switched"),
        StepKind::StopOld | StepKind::Retire => fail::fail_point!("agent::old_stopped"),
        StepKind::Settle => fail::fail_point!("agent::settled"),
        StepKind::Sticker => fail::fail_point!("agent::sticker_placed"),
        StepKind::Discard => fail::fail_point!("agent::discarded"),
        // The driver itself has `agent::made`, between making and starting.
        StepKind::Make
        | StepKind::Clean
        | StepKind::Check
        | StepKind::Prepare
        | StepKind::Watch
        | StepKind::Prune
        | StepKind::Undo => {}
    }
}
