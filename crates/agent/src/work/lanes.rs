//! One task a target at a time, in the order in which they came.

use std::collections::{BTreeMap, VecDeque};

use plimsoll_core::id::{TargetId, TaskId};

/// The targets' queues.
#[derive(Debug, Default)]
pub struct Lanes(BTreeMap<TargetId, Lane>);

#[derive(Debug, Default)]
struct Lane {
    running: Option<TaskId>,
    waiting: VecDeque<TaskId>,
}

impl Lanes {
    /// A task waits for its target.
    pub fn queue(&mut self, target: TargetId, task: TaskId) {
        self.0.entry(target).or_default().waiting.push_back(task);
    }

    /// The tasks whose targets are free; they run from now on.
    pub fn ready(&mut self) -> Vec<TaskId> {
        let free = self.0.values_mut().filter(|lane| lane.running.is_none());
        free.filter_map(|lane| {
            lane.running = lane.waiting.pop_front();
            lane.running
        })
        .collect()
    }

    /// A task does not run any more.
    pub fn done(&mut self, task: TaskId) {
        for lane in self.0.values_mut().filter(|lane| lane.running == Some(task)) {
            lane.running = None;
        }
        self.0.retain(|_, lane| lane.running.is_some() || !lane.waiting.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::context::Context;

    use super::*;

    #[test]
    fn one_at_a_time_in_order() {
        let context = Context::system();
        let (a, b): (TargetId, TargetId) = (context.id(), context.id());
        let tasks: Vec<TaskId> = (0..3).map(|_| context.id()).collect();
        let mut lanes = Lanes::default();
        lanes.queue(a, tasks[0]);
        lanes.queue(a, tasks[1]);
        lanes.queue(b, tasks[2]);
        let mut first = lanes.ready();
        first.sort_unstable();
        let mut expected = vec![tasks[0], tasks[2]];
        expected.sort_unstable();
        assert_eq!(first, expected);
        assert_eq!(lanes.ready(), []);
        lanes.done(tasks[0]);
        assert_eq!(lanes.ready(), [tasks[1]]);
    }
}
