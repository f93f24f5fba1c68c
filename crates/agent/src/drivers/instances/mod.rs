//! The driver for hosts with instances: plans, starts, waits, switches and takes back, whatever runs them.

mod apply;
mod bring;
mod clean;
mod follow;
mod health;
mod judge;
mod observe;
mod plan;
mod record;
mod report;
mod sticker;
mod undo;

pub use record::{Record, read_record};
pub use sticker::{path as sticker_path, read_all as read_stickers};

use std::collections::BTreeMap;

use plimsoll_core::{context::Context, deployment::spec::ComponentSpec};
use plimsoll_protocol::agent::{
    observe::TargetObservation,
    order::{TargetInfo, TaskOrder},
    report::ComponentResult,
};

use super::{Applied, Driver, Outcome, Scope, host::InstanceHost};
use crate::task::{
    machine::Machine,
    step::{Plan, Step},
};

/// Variables that every instance gets, to know itself; the component's own win over them.
#[must_use]
pub fn own_variables(order: &TaskOrder, component: &ComponentSpec) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("PLIMSOLL_APPLICATION".to_owned(), order.application.clone()),
        ("PLIMSOLL_COMPONENT".to_owned(), component.name.clone()),
        ("PLIMSOLL_IMAGE_DIGEST".to_owned(), component.image.digest.to_string()),
    ])
}

/// The driver over a host.
#[derive(Clone, Debug)]
pub struct InstanceDriver<H> {
    host: H,
    context: Context,
}

impl<H: InstanceHost> InstanceDriver<H> {
    /// A driver over `host`.
    pub const fn new(host: H, context: Context) -> Self {
        Self { host, context }
    }

    /// The host.
    pub const fn host(&self) -> &H {
        &self.host
    }
}

impl<H: InstanceHost> Driver for InstanceDriver<H> {
    async fn plan(&self, scope: Scope<'_>) -> Outcome<Plan> {
        plan::make(self, scope).await
    }

    async fn highest_epoch(&self, target: &TargetInfo) -> Outcome<u64> {
        let found = self.host.list(target.id).await?;
        Ok(found.iter().filter_map(|instance| instance.ours.as_ref()).map(|ours| ours.epoch).max().unwrap_or_default())
    }

    async fn apply(&self, scope: Scope<'_>, step: &Step) -> Outcome<Applied> {
        apply::step(self, scope, step).await
    }

    async fn undo(&self, scope: Scope<'_>, step: &Step) -> Outcome<()> {
        undo::step(self, scope, step).await
    }

    async fn restore(&self, scope: Scope<'_>, plan: &Plan) -> Outcome<()> {
        undo::restore(self, scope, plan).await
    }

    async fn report(&self, scope: Scope<'_>, machine: &Machine) -> Outcome<Vec<ComponentResult>> {
        report::make(self, scope, machine).await
    }

    async fn observe(&self, target: &TargetInfo) -> TargetObservation {
        observe::target(self, target).await
    }
}
