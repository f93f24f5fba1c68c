//! One task a target at a time, in the order of their epochs: whoever ran after one with a higher epoch
//! would be fenced off.

use std::collections::BTreeMap;

use plimsoll_core::id::{TargetId, TaskId};

/// The targets' queues.
#[derive(Debug, Default)]
pub struct Lanes(BTreeMap<TargetId, Lane>);

#[derive(Debug, Default)]
struct Lane {
    running: Option<TaskId>,
    waiting: Vec<TaskId>,
}

impl Lanes {
    /// A task waits for its target.
    pub fn queue(&mut self, target: TargetId, task: TaskId) {
        self.0.entry(target).or_default().waiting.push(task);
    }

    /// The tasks whose targets are free; they run from now on. `epoch` is a task's present one.
    pub fn ready(&mut self, epoch: impl Fn(TaskId) -> u64) -> Vec<TaskId> {
        let free = self.0.values_mut().filter(|lane| lane.running.is_none());
        free.filter_map(|lane| {
            let (next, _) = lane.waiting.iter().enumerate().min_by_key(|(_, task)| epoch(**task))?;
            lane.running = Some(lane.waiting.remove(next));
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
    fn one_at_a_time_in_the_order_of_epochs() {
        let context = Context::system();
        let (a, b): (TargetId, TargetId) = (context.id(), context.id());
        let tasks: Vec<TaskId> = (0..4).map(|_| context.id()).collect();
        let epoch = |task| if task == tasks[3] { 1 } else { 2 };
        let mut lanes = Lanes::default();
        lanes.queue(a, tasks[0]);
        lanes.queue(a, tasks[1]);
        lanes.queue(b, tasks[2]);
        let mut first = lanes.ready(epoch);
        first.sort_unstable();
        let mut expected = vec![tasks[0], tasks[2]];
        expected.sort_unstable();
        assert_eq!(first, expected);
        lanes.queue(a, tasks[3]);
        assert_eq!(lanes.ready(epoch), []);
        lanes.done(tasks[0]);
        assert_eq!(lanes.ready(epoch), [tasks[3]]);
        lanes.done(tasks[3]);
        assert_eq!(lanes.ready(epoch), [tasks[1]]);
    }
}
