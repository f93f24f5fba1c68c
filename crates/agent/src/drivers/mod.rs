//! Drivers: how a task is done on each kind of target. A new kind is one more arm of `AnyDriver`
//! (docs/how-to/add-a-driver.md).

pub mod docker;
pub mod host;
pub mod instances;
pub mod probe;
pub mod process;

use std::future::Future;

use plimsoll_core::Timestamp;
use plimsoll_protocol::agent::{
    observe::TargetObservation,
    order::{TargetInfo, TaskOrder},
    report::{ComponentResult, TaskError},
};

use crate::task::{
    logger::TaskLogger,
    machine::Machine,
    secrets::Secrets,
    step::{Plan, Step},
};

/// What a driver is given with each step.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// What is to be done.
    pub order: &'a TaskOrder,
    /// Where lines for people go.
    pub log: &'a TaskLogger,
    /// Where the values of secrets come from.
    pub secrets: &'a Secrets,
}

/// What a step brought to light.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Since when the component is healthy.
    pub healthy_since: Option<Timestamp>,
}

/// The result of a driver's work, in words for people.
pub type Outcome<T> = Result<T, TaskError>;

/// One kind of target. Every call has its own time limit and may be repeated after a kill.
pub trait Driver: Send + Sync {
    /// Looks at the target and says what will be done.
    fn plan(&self, scope: Scope<'_>) -> impl Future<Output = Outcome<Plan>> + Send;

    /// The highest epoch among what is ours on the target.
    fn highest_epoch(&self, target: &TargetInfo) -> impl Future<Output = Outcome<u64>> + Send;

    /// Does a step.
    fn apply(&self, scope: Scope<'_>, step: &Step) -> impl Future<Output = Outcome<Applied>> + Send;

    /// Undoes a step that began, whether or not it was done.
    fn undo(&self, scope: Scope<'_>, step: &Step) -> impl Future<Output = Outcome<()>> + Send;

    /// After all was undone: what ran before runs, or is started.
    fn restore(&self, scope: Scope<'_>, plan: &Plan) -> impl Future<Output = Outcome<()>> + Send;

    /// What runs now of the order's application, beside what ran before.
    fn report(&self, scope: Scope<'_>, machine: &Machine)
    -> impl Future<Output = Outcome<Vec<ComponentResult>>> + Send;

    /// What is ours on a target.
    fn observe(&self, target: &TargetInfo) -> impl Future<Output = TargetObservation> + Send;
}
