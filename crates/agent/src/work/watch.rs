//! Looking at targets: when asked, after a connection came up, and when something changed. And seeing to the
//! processes that nobody else sees to.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use plimsoll_core::{Timestamp, inventory::AgentResources};
use plimsoll_protocol::agent::{
    AgentFrame,
    observe::{ObserveReport, ObserveRequest, Status, TargetObservation},
    order::TargetInfo,
};

use super::Drivers;
use crate::{
    drivers::Driver,
    session::{heartbeat::means, shared::Shared},
};

/// Watches the targets that this agent serves.
pub struct Watch {
    shared: Shared,
    drivers: Drivers,
    targets: Vec<TargetInfo>,
    last: Arc<Mutex<Vec<TargetObservation>>>,
}

impl Watch {
    /// Over the targets known from before.
    pub fn new(shared: Shared, drivers: Drivers, targets: Vec<TargetInfo>) -> Self {
        Self { shared, drivers, targets, last: Arc::default() }
    }

    /// The server says which targets are this agent's.
    pub fn serve(&mut self, targets: Vec<TargetInfo>) {
        self.targets = targets;
    }

    /// A task is about a target that was not known.
    pub fn learn(&mut self, target: TargetInfo) {
        match self.targets.iter_mut().find(|known| known.id == target.id) {
            Some(known) => *known = target,
            None => self.targets.push(target),
        }
    }

    /// Answers a question within its deadline.
    pub fn answer(&self, request: ObserveRequest) {
        let (shared, drivers) = (self.shared.clone(), self.drivers.clone());
        tokio::spawn(async move {
            let limit = Duration::from_secs(u64::from(request.deadline_seconds.max(1)));
            let look = look(&shared, &drivers, &request.target);
            // Too late is no answer: the server tells its caller so.
            if let Ok(seen) = tokio::time::timeout(limit, look).await {
                shared.outbox.push(AgentFrame::Observation(ObserveReport { request_id: request.request_id, seen }));
            }
        });
    }

    /// Tells the server what there is, changed or not.
    pub fn tell_all(&self) {
        self.tell(Tell::Always);
    }

    /// Tells the server what there is, if it changed; and sees to processes.
    pub fn tick(&self) {
        self.tell(Tell::Changes);
    }

    fn tell(&self, tell: Tell) {
        let (shared, drivers, targets) = (self.shared.clone(), self.drivers.clone(), self.targets.clone());
        let last = Arc::clone(&self.last);
        tokio::spawn(async move {
            let mut seen = Vec::with_capacity(targets.len());
            for target in &targets {
                if let Some(host) = drivers.process_host(target) {
                    host.tend().await;
                }
                seen.push(look(&shared, &drivers, target).await);
            }
            let steady: Vec<TargetObservation> = seen.iter().cloned().map(steady).collect();
            let changed = {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                let changed = *last != steady;
                *last = steady;
                changed
            };
            if changed || tell == Tell::Always {
                let tasks = shared.held.borrow().clone();
                shared.outbox.push(AgentFrame::Status(Status { resources: means(&shared), tasks, targets: seen }));
            }
        });
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tell {
    Always,
    Changes,
}

async fn look(shared: &Shared, drivers: &Drivers, target: &TargetInfo) -> TargetObservation {
    let driver = drivers.open(target);
    let mut seen = driver.observe(target).await;
    seen.resources.clock_skew_ms = Some(shared.clock.skew_ms());
    seen
}

/// What of an observation makes it another one.
fn steady(mut seen: TargetObservation) -> TargetObservation {
    seen.at = Timestamp::from_seconds(0);
    seen.resources = AgentResources::default();
    seen
}
