//! The machine of one task: a pure function of its journal. It says what is next; the runner does it and
//! writes down that it did, so that a restarted agent goes on where the killed one stopped.

use std::collections::{BTreeMap, btree_map};

use plimsoll_core::{Error, Result, Timestamp};
use plimsoll_protocol::agent::{
    order::{TaskOffer, TaskOrder},
    report::{TaskError, TaskErrorCode, TaskOutcome, TaskResult},
};

use super::{
    entry::{Entry, StopReason},
    step::{Plan, Step},
};

/// A task as its journal tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    offer: TaskOffer,
    order: TaskOrder,
    started_at: Timestamp,
    plan: Plan,
    began: BTreeMap<usize, Timestamp>,
    healthy_since: BTreeMap<usize, Timestamp>,
    undone_at: BTreeMap<usize, Timestamp>,
    /// How often a step was begun that had begun before: restarts of the agent.
    repeats: u32,
    position: Position,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Position {
    Planning,
    Forward {
        next: usize,
    },
    /// `index` is to be undone next.
    Undoing {
        cause: Cause,
        index: usize,
        step: Step,
        failures: Vec<TaskError>,
    },
    Ended(End),
    Finished(Box<TaskResult>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Step(TaskError),
    Stop(StopReason),
}

/// How a task ended, before what runs now was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// The outcome.
    pub outcome: TaskOutcome,
    /// Whether the set was changed by the task (and, unless it succeeded, put back or not).
    pub set: SetState,
    /// What went wrong.
    pub error: Option<TaskError>,
}

/// What became of the working set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetState {
    /// The new one runs.
    New,
    /// The old one runs, as before or again.
    Old,
    /// Neither, or it can't be told.
    Broken,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action<'a> {
    /// Make the plan.
    Plan,
    /// Do a step.
    Apply(usize, &'a Step),
    /// Undo a step.
    Undo(usize, &'a Step),
    /// Look what runs and write the result.
    Conclude(&'a End),
    /// Send the result until it is acknowledged.
    Report(&'a TaskResult),
}

/// Begun more often than this, a step is taken for the cause of the agent's death.
const MAX_REPEATS: u32 = 20;

impl Machine {
    /// A task from its journal.
    pub fn replay(entries: impl IntoIterator<Item = Entry>) -> Result<Self> {
        let mut entries = entries.into_iter();
        let Some(Entry::Offered { offer, at }) = entries.next() else {
            return Err(Error::internal_defect("a task's journal begins with its offer"));
        };
        let order = offer.order()?;
        let mut machine = Self {
            offer,
            order,
            started_at: at,
            plan: Plan { steps: Vec::new(), before: Vec::new() },
            began: BTreeMap::new(),
            healthy_since: BTreeMap::new(),
            undone_at: BTreeMap::new(),
            repeats: 0,
            position: Position::Planning,
        };
        for entry in entries {
            machine.take(entry)?;
        }
        Ok(machine)
    }

    /// Moves by one entry.
    pub fn take(&mut self, entry: Entry) -> Result<()> {
        match entry {
            Entry::Offered { offer, .. } => self.offered_again(offer)?,
            Entry::Planned { plan } => {
                self.plan = plan;
                self.position = Position::Forward { next: 0 };
            }
            Entry::NotPlanned { error } => self.position = Position::Ended(failed(error)),
            Entry::Began { index, at } => {
                if let btree_map::Entry::Vacant(first) = self.began.entry(index) {
                    first.insert(at);
                } else {
                    self.repeats += 1;
                }
            }
            Entry::Done { index, healthy_since } => {
                if let Some(since) = healthy_since {
                    self.healthy_since.insert(index, since);
                }
                self.advance(index);
            }
            Entry::Failed { index, error } => {
                if self.step_is_final(index) {
                    self.advance(index);
                } else {
                    self.turn_back(Cause::Step(error));
                }
            }
            Entry::Stopped { reason } => self.turn_back(Cause::Stop(reason)),
            Entry::UndoBegan { .. } => {}
            Entry::Undone { index, at } => {
                self.undone_at.extend(at.map(|at| (index, at)));
                self.undone(index, None);
            }
            Entry::NotUndone { index, error } => self.undone(index, Some(error)),
            Entry::Fenced { error } => {
                self.position =
                    Position::Ended(End { outcome: TaskOutcome::Unknown, set: SetState::Broken, error: Some(error) });
            }
            Entry::Finished { result } => self.position = Position::Finished(Box::new(result)),
        }
        Ok(())
    }

    /// What is next.
    #[must_use]
    pub fn next(&self) -> Action<'_> {
        match &self.position {
            Position::Planning => Action::Plan,
            Position::Forward { next } => match self.plan.steps.get(*next) {
                Some(step) => Action::Apply(*next, step),
                None => Action::Conclude(&SUCCEEDED),
            },
            Position::Undoing { index, step, .. } => Action::Undo(*index, step),
            Position::Ended(end) => Action::Conclude(end),
            Position::Finished(result) => Action::Report(result),
        }
    }

    /// The entry that answers a wish to stop: the way back, or none when the task is past it. A lost lease
    /// does not turn back a set that is healthy already.
    #[must_use]
    pub fn stop(&self, reason: StopReason) -> Option<Entry> {
        let back = Some(Entry::Stopped { reason });
        match &self.position {
            Position::Planning => back,
            Position::Forward { next } => {
                let past = self.plan.steps.get(*next).is_none_or(Step::is_final) || self.final_step_began();
                let keep = reason == StopReason::LeaseLost && self.new_set_is_healthy(*next);
                if past || keep { None } else { back }
            }
            Position::Undoing { .. } | Position::Ended(_) | Position::Finished(_) => None,
        }
    }

    /// The wish to stop that the journal itself holds: a step that ends the agent each time.
    #[must_use]
    pub const fn worn_out(&self) -> bool {
        self.repeats > MAX_REPEATS
    }

    /// The order in force.
    #[must_use]
    pub const fn order(&self) -> &TaskOrder {
        &self.order
    }

    /// The plan; empty before there is one.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// When the first offer came.
    #[must_use]
    pub const fn started_at(&self) -> Timestamp {
        self.started_at
    }

    /// The result, when there is one.
    #[must_use]
    pub fn result(&self) -> Option<&TaskResult> {
        match &self.position {
            Position::Finished(result) => Some(result),
            Position::Planning | Position::Forward { .. } | Position::Undoing { .. } | Position::Ended(_) => None,
        }
    }

    /// Whether the task is on its way back.
    #[must_use]
    pub const fn is_undoing(&self) -> bool {
        matches!(self.position, Position::Undoing { .. })
    }

    /// Whether the task changed the set and has taken that back.
    #[must_use]
    pub fn is_back(&self) -> bool {
        let old = matches!(&self.position, Position::Ended(end) if end.set == SetState::Old);
        old && self.changes_below(self.plan.steps.len()).next().is_some()
    }

    /// How long nothing answered for a component: from the stop of the old to the health of the new, or to the old
    /// answering again where it was put back, in milliseconds; `None` when the old was not stopped first.
    #[must_use]
    pub fn downtime_ms(&self, component: &str) -> Option<u64> {
        let at = |wanted: fn(&Step) -> bool| {
            self.plan.steps.iter().position(|step| wanted(step) && step.component() == Some(component))
        };
        let stop = at(|step| matches!(step, Step::StopOld { .. }))?;
        let stopped = self.began.get(&stop)?;
        let healthy = || self.healthy_since.get(&at(|step| matches!(step, Step::Health { .. }))?);
        // What was healthy and is taken back all the same leaves a longer gap than the one before.
        let answered = self.undone_at.get(&stop).or_else(healthy)?;
        u64::try_from(answered.micros_since(*stopped) / 1000).ok()
    }

    fn offered_again(&mut self, offer: TaskOffer) -> Result<()> {
        let order = offer.order()?;
        if order.task_id != self.order.task_id || order.epoch < self.order.epoch {
            return Err(Error::internal_defect("a journal holds the offer of another task, or an older one"));
        }
        if let Position::Finished(result) = &mut self.position {
            result.epoch = order.epoch;
        }
        // What is to run was planned with the first offer; only the fence and the sticker may be newer.
        self.order.epoch = order.epoch;
        self.order.sticker.clone_from(&order.sticker);
        self.order.issued_at = order.issued_at;
        self.offer = offer;
        Ok(())
    }

    fn advance(&mut self, done: usize) {
        if let Position::Forward { next } = &mut self.position
            && *next == done
        {
            *next = done + 1;
        }
    }

    fn turn_back(&mut self, cause: Cause) {
        match &self.position {
            Position::Planning | Position::Forward { .. } => self.undo_below(self.plan.steps.len(), cause, Vec::new()),
            Position::Undoing { .. } | Position::Ended(_) | Position::Finished(_) => {}
        }
    }

    fn undone(&mut self, done: usize, failure: Option<TaskError>) {
        if let Position::Undoing { cause, index, failures, .. } = &mut self.position
            && *index == done
        {
            let mut failures = std::mem::take(failures);
            failures.extend(failure);
            let cause = cause.clone();
            self.undo_below(done, cause, failures);
        }
    }

    /// On to the last step before `below` that began and must be put back, or to the end.
    fn undo_below(&mut self, below: usize, cause: Cause, failures: Vec<TaskError>) {
        let next = self.changes_below(below).next().map(|(index, step)| (index, step.clone()));
        let changed = self.changes_below(self.plan.steps.len()).next().is_some();
        self.position = match next {
            Some((index, step)) => Position::Undoing { cause, index, step, failures },
            None => Position::Ended(after_undo(&cause, &failures, changed)),
        };
    }

    /// The steps before `below` that began and change the set, the last one first.
    fn changes_below(&self, below: usize) -> impl Iterator<Item = (usize, &Step)> {
        let begun = self.began.range(..below).rev();
        begun
            .filter_map(|(index, _)| Some((*index, self.plan.steps.get(*index)?)))
            .filter(|(_, step)| step.changes_the_set())
    }

    fn final_step_began(&self) -> bool {
        self.began.keys().any(|index| self.step_is_final(*index))
    }

    fn step_is_final(&self, index: usize) -> bool {
        self.plan.steps.get(index).is_some_and(Step::is_final)
    }

    fn new_set_is_healthy(&self, next: usize) -> bool {
        let rest = self.plan.steps.get(next..).unwrap_or_default();
        let brought = self.plan.steps.iter().any(|step| matches!(step, Step::Health { .. }));
        brought && !rest.iter().any(|step| matches!(step, Step::Start { .. } | Step::Health { .. }))
    }
}

static SUCCEEDED: End = End { outcome: TaskOutcome::Succeeded, set: SetState::New, error: None };

fn failed(error: TaskError) -> End {
    End { outcome: TaskOutcome::Failed, set: SetState::Old, error: Some(error) }
}

fn after_undo(cause: &Cause, failures: &[TaskError], changed: bool) -> End {
    let error = match cause {
        Cause::Step(error) => error.clone(),
        Cause::Stop(reason) => reason.error(),
    };
    let cancelled = matches!(cause, Cause::Stop(reason) if reason.is_cancel());
    let outcome = match (cancelled, changed) {
        (true, _) => TaskOutcome::Cancelled,
        (false, true) => TaskOutcome::RolledBack,
        (false, false) => TaskOutcome::Failed,
    };
    let end = End { outcome, set: SetState::Old, error: Some(error) };
    if failures.is_empty() { end } else { end.broken(failures) }
}

impl End {
    /// The same end, but what ran before does not run.
    #[must_use]
    pub fn but_not_restored(self, why: &TaskError) -> Self {
        if why.code == TaskErrorCode::StaleEpoch {
            return Self { outcome: TaskOutcome::Unknown, set: SetState::Broken, error: Some(why.clone()) };
        }
        self.broken(std::slice::from_ref(why))
    }

    fn broken(self, failures: &[TaskError]) -> Self {
        let what: Vec<String> = failures.iter().map(ToString::to_string).collect();
        let cause = self.error.unwrap_or_else(|| TaskError::new(TaskErrorCode::UndoFailed, "it was stopped"));
        let message = format!("{cause}; what ran before could not be put back: {}", what.join("; "));
        let error = TaskError { code: TaskErrorCode::UndoFailed, message, ..cause }
            .hint("look at the target: start what is missing by hand, or deploy again");
        Self { outcome: TaskOutcome::Failed, set: SetState::Broken, error: Some(error) }
    }
}
