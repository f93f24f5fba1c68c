//! The steps by which components come in beside or in place of their old ones.

use plimsoll_core::{
    component::runtime::{Publish, Switch},
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::{
    order::TaskOrder,
    report::{TaskError, TaskErrorCode},
};

use super::{
    plan::{component_before, is_up, name_of},
    record::Record,
};
use crate::{
    drivers::{Outcome, host::Instance},
    task::step::{Alias, Old, Step},
};

/// Stopped within this unless the component says otherwise.
const GRACE_SECONDS: u32 = 10;

/// The change of a set, component by component in the order in which they come up. The old ones stay until
/// the whole new set is healthy, so that a set of which the last one fails leaves no gap; except where the
/// new one needs what the old one holds, and where others of the set are to meet the new one by its name.
pub(super) struct Arrivals<'a> {
    order: &'a TaskOrder,
    record: Option<&'a Record>,
    pulls: Vec<Step>,
    middle: Vec<Step>,
    /// Switch and retirement of each, for the end; undone and done in reverse of how they came.
    end: Vec<Vec<Step>>,
    away: Vec<Step>,
    leaving: Vec<String>,
    bringing: Vec<String>,
    discard: Vec<String>,
}

impl<'a> Arrivals<'a> {
    pub(super) const fn new(order: &'a TaskOrder, record: Option<&'a Record>) -> Self {
        Self {
            order,
            record,
            pulls: Vec::new(),
            middle: Vec::new(),
            end: Vec::new(),
            away: Vec::new(),
            leaving: Vec::new(),
            bringing: Vec::new(),
            discard: Vec::new(),
        }
    }

    /// One that runs so already.
    pub(super) fn keep(&mut self, component: &ComponentSpec, old: &[Instance]) {
        let names = old.iter().map(|old| old.name.clone()).collect();
        self.middle.push(Step::Health { component: component.name.clone(), names });
    }

    /// A new one; `later` come up after it.
    pub(super) fn bring(
        &mut self,
        component: &ComponentSpec,
        old: &[Instance],
        later: &[ComponentSpec],
    ) -> Outcome<()> {
        let own = || component.name.clone();
        let recreate = must_recreate(self.order, component)? && !old.is_empty();
        let beside = !recreate && !old.is_empty();
        let switched = beside && !component.runtime.networks.is_empty();
        let alias = if switched { Alias::AtSwitch } else { Alias::AtOnce };
        let names: Vec<String> = (0..component.instances.max(1)).map(|at| name_of(self.order, component, at)).collect();
        let old_names = || old.iter().map(|old| old.name.clone());
        self.pulls.push(Step::Pull { component: own() });
        self.bringing.push(own());
        self.discard.extend(old_names());
        if recreate {
            // Made while the old ones still serve: the gap is shorter, and what can't be made leaves none.
            for (instance, name) in (0..).zip(&names) {
                self.middle.push(Step::Make { component: own(), instance, name: name.clone(), alias });
            }
            self.leaving.extend(old_names());
            self.middle.push(Step::StopOld { component: own(), old: self.olds(&component.name, old) });
        }
        for (instance, name) in (0..).zip(&names) {
            self.middle.push(Step::Start { component: own(), instance, name: name.clone(), alias });
        }
        self.middle.push(Step::Health { component: own(), names: names.clone() });
        let mut end = Vec::new();
        if switched {
            end.push(Step::Switch { component: own(), names });
        }
        if beside {
            end.push(Step::Retire { component: own(), old: self.olds(&component.name, old) });
        }
        if switched && later.iter().any(|other| other.depends_on.contains(&component.component_id)) {
            self.middle.append(&mut end);
        } else {
            self.end.push(end);
        }
        Ok(())
    }

    /// One that the new set does not have.
    pub(super) fn send_away(&mut self, component: &str, old: &[Instance]) {
        self.discard.extend(old.iter().map(|old| old.name.clone()));
        self.away.push(Step::Retire { component: component.to_owned(), old: self.olds(component, old) });
    }

    /// The steps, and what is removed in the end.
    pub(super) fn into_steps(self) -> (Vec<Step>, Vec<String>) {
        let mut steps = Vec::new();
        if !self.middle.is_empty() {
            steps.push(Step::Check { bringing: self.bringing, leaving: self.leaving });
            steps.push(Step::Prepare);
        }
        let end = self.end.into_iter().rev().flatten();
        steps.extend(self.pulls.into_iter().chain(self.middle).chain(end).chain(self.away));
        (steps, self.discard)
    }

    fn olds(&self, component: &str, old: &[Instance]) -> Vec<Old> {
        olds(self.order, self.record, component, old)
    }
}

fn must_recreate(order: &TaskOrder, component: &ComponentSpec) -> Outcome<bool> {
    let fixed = component.runtime.ports.iter().find(|port| matches!(port.publish, Publish::Fixed(_)));
    if let Some(port) = fixed
        && component.instances > 1
    {
        let message =
            format!("port {} is fixed, and only one of {} instances can hold it", port.container, component.instances);
        return Err(TaskError::new(TaskErrorCode::PortConflict, message)
            .component(&component.name)
            .hint("publish it as `auto`, or run one instance"));
    }
    if component.runtime.volumes.iter().any(|volume| volume.exclusive) {
        return Ok(true);
    }
    let asked = order.hints.switch.or(component.runtime.switch);
    match (asked, fixed) {
        (Some(Switch::StartFirst), Some(port)) => Err(TaskError::new(
            TaskErrorCode::StartFirstNeedsFreePort,
            format!("old and new can't both hold the host port of {}", port.container),
        )
        .component(&component.name)
        .hint("publish the port as `auto`, or use `recreate`")),
        (Some(Switch::Recreate), _) | (None, Some(_)) => Ok(true),
        (Some(Switch::StartFirst) | None, None) => Ok(false),
    }
}

fn olds(order: &TaskOrder, record: Option<&Record>, component: &str, old: &[Instance]) -> Vec<Old> {
    let grace = component_before(order, record, component).and_then(|known| known.runtime.stop_grace_seconds);
    old.iter()
        .map(|instance| Old {
            name: instance.name.clone(),
            was_running: is_up(instance),
            restart: instance.restart,
            grace_seconds: grace.unwrap_or(GRACE_SECONDS),
        })
        .collect()
}
