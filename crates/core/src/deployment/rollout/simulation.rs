//! Whole rollouts with random strategies, failures, dead agents and cancels: what must hold at every step.

use proptest::prelude::*;

use super::*;
use crate::{
    deployment::{JobCommand, TaskCommand, testing::id},
    environment::{FailurePolicy, OfflineTargets, Strategy},
};

/// What the world does: one choice after the other, from a list that repeats.
struct Choices {
    list: Vec<u8>,
    next: usize,
}

impl Choices {
    fn pick(&mut self, of: usize) -> usize {
        let byte = self.list[self.next % self.list.len()];
        self.next += 1;
        // Later rounds see other values, so that no choice repeats for ever.
        (usize::from(byte) + self.next / self.list.len()) % of
    }
}

struct World {
    job: JobView,
    tasks: Vec<TaskView>,
    size: usize,
    made: u128,
    choices: Choices,
    over: bool,
}

impl World {
    fn apply(&mut self, task_id: TaskId, command: TaskCommand) {
        let now = self.job.now;
        let task = self.tasks.iter_mut().find(|task| task.id == task_id).unwrap();
        task.status = task.status.after(command).expect("the rollout asks for legal moves only");
        if task.status.is_ended() {
            task.finished_at = Some(now);
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Offer(task_id) => {
                self.apply(task_id, TaskCommand::Offer);
                let over = self.over;
                let task = self.tasks.iter_mut().find(|task| task.id == task_id).unwrap();
                task.attempt += 1;
                assert!(task.kind == TaskKind::Rollback || !over, "a target was started after too many failures");
                assert!(task.attempt <= MAX_ATTEMPTS);
            }
            Effect::Skip { task_id, .. } => self.apply(task_id, TaskCommand::Skip),
            Effect::FailOffline(task_id) => self.apply(task_id, TaskCommand::Fail),
            Effect::Lose(task_id) => self.apply(task_id, TaskCommand::Lose),
            Effect::CancelPending(task_id) => self.apply(task_id, TaskCommand::Cancel),
            Effect::Stop(task_id) => {
                self.tasks.iter_mut().filter(|task| task.id == task_id).for_each(|task| task.stop = Stop::Asked);
            }
            Effect::PutBack { undoes, batch } => {
                assert!(!self.tasks.iter().any(|task| task.undoes == Some(undoes)), "put back twice");
                self.made += 1;
                let of = self.tasks.iter().find(|task| task.id == undoes).unwrap();
                let made = TaskView {
                    id: id(1_000 + self.made),
                    kind: TaskKind::Rollback,
                    undoes: Some(undoes),
                    batch,
                    status: TaskStatus::Pending,
                    attempt: 0,
                    remains: None,
                    stop: Stop::NotAsked,
                    created_at: self.job.now,
                    finished_at: None,
                    ..of.clone()
                };
                self.tasks.push(made);
            }
            Effect::MarkPutBack(task_id) => {
                self.apply(task_id, TaskCommand::PutBack);
                let task = self.tasks.iter_mut().find(|task| task.id == task_id).unwrap();
                task.remains = Some(Remains::Restored);
            }
            Effect::Finish { end, .. } => {
                self.job.status = self.job.status.after(JobCommand::Finish(end)).expect("a legal end");
            }
            Effect::WakeAt(at) => assert!(at > self.job.now, "a wake-up lies ahead"),
        }
    }

    /// Agents report, die, come and go.
    fn agents(&mut self) {
        for index in 0..self.tasks.len() {
            let task = self.tasks[index].clone();
            if self.choices.pick(8) == 0 {
                let reach =
                    [Reach::Online, Reach::Offline { since: self.job.now }, Reach::Maintenance][self.choices.pick(3)];
                self.tasks[index].reach = reach;
            }
            if !task.status.is_in_hand() {
                continue;
            }
            let command = match self.choices.pick(10) {
                0 if task.status == TaskStatus::Assigned => TaskCommand::Begin,
                1 if task.status != TaskStatus::Verifying => TaskCommand::Watch,
                2 | 3 => {
                    self.tasks[index].remains =
                        [None, Some(Remains::Restored), Some(Remains::Changed)][self.choices.pick(3)];
                    TaskCommand::Fail
                }
                4 => TaskCommand::Requeue,
                5 => TaskCommand::Lose,
                6 if task.stop == Stop::Asked => TaskCommand::Cancel,
                _ => TaskCommand::Succeed,
            };
            self.apply(task.id, command);
        }
    }

    /// People pause, resume and cancel.
    fn people(&mut self) {
        let command = match (self.job.status, self.choices.pick(20)) {
            (JobStatus::Paused, _) => JobCommand::Resume,
            (JobStatus::Running, 0) => JobCommand::Pause,
            (JobStatus::Running, 1) => {
                self.job.cancel = [CancelMode::Keep, CancelMode::Rollback][self.choices.pick(2)];
                JobCommand::Cancel
            }
            _ => return,
        };
        self.job.status = self.job.status.after(command).unwrap();
    }

    fn check(&mut self) {
        for kind in [TaskKind::Forward, TaskKind::Rollback] {
            let in_hand: Vec<u32> = self
                .tasks
                .iter()
                .filter(|task| task.kind == kind && task.status.is_in_hand())
                .map(|task| task.batch)
                .collect();
            assert!(in_hand.len() <= self.size, "more than a batch in hand");
            assert!(in_hand.windows(2).all(|pair| pair[0] == pair[1]), "two batches in hand");
        }
        let forward = self.tasks.iter().any(|task| task.kind == TaskKind::Forward && task.status.is_in_hand());
        assert!(!(forward && self.tasks.iter().any(|task| task.kind == TaskKind::Rollback)), "both ways at once");
        let failed = self.tasks.iter().filter(|task| {
            let counts = task.status == TaskStatus::Unknown || (task.status == TaskStatus::Failed && task.attempt > 0);
            task.kind == TaskKind::Forward && counts
        });
        self.over |= self.job.kind != JobKind::Rollback && failed.count() > self.job.strategy.max_failures() as usize;
    }

    /// What must be true at the end.
    fn check_end(&self) {
        let forward = || self.tasks.iter().filter(|task| task.kind == TaskKind::Forward);
        assert!(self.tasks.iter().all(|task| task.status.is_ended()), "a task was left behind");
        let undone = |task: &TaskView| self.tasks.iter().any(|back| back.undoes == Some(task.id));
        match self.job.status {
            JobStatus::Succeeded => assert!(forward().any(|task| task.status == TaskStatus::Succeeded)),
            JobStatus::RolledBack => {
                assert!(!forward().any(|task| task.status == TaskStatus::Succeeded), "a target kept the release");
                let left = |task: &TaskView| task.status == TaskStatus::Unknown && !undone(task);
                assert!(!forward().any(left), "a target was not looked after");
            }
            JobStatus::Failed
                if self.over && self.job.strategy.failure_policy() == FailurePolicy::Rollback && !self.cancelled() =>
            {
                let changed = |task: &&TaskView| matches!(task.status, TaskStatus::Succeeded | TaskStatus::Unknown);
                assert!(forward().filter(changed).all(undone), "a changed target has no rollback task");
            }
            JobStatus::Failed | JobStatus::Cancelled => {}
            JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling => panic!("no end"),
        }
    }

    fn cancelled(&self) -> bool {
        self.tasks.iter().any(|task| task.stop == Stop::Asked || task.status == TaskStatus::Cancelled)
    }
}

fn strategy(size: usize, max_failures: u32, policy: FailurePolicy, offline: OfflineTargets, pause: u32) -> Strategy {
    Strategy::Rolling {
        batch_size: size.to_string().parse().unwrap(),
        pause_seconds: pause,
        order_by_label: None,
        max_failures,
        failure_policy: policy,
        offline_targets: offline,
        watch_seconds: 0,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_rollout_ends_and_keeps_its_rules(
        targets in 1..9usize,
        size in 1..4usize,
        max_failures in 0..3u32,
        policy in prop::sample::select(vec![FailurePolicy::Rollback, FailurePolicy::Stop]),
        offline in prop::sample::select(vec![OfflineTargets::Fail {}, OfflineTargets::Skip {}, OfflineTargets::Wait { wait_seconds: 40 }]),
        kind in prop::sample::select(vec![JobKind::Deploy, JobKind::Redeploy, JobKind::Rollback]),
        list in prop::collection::vec(any::<u8>(), 64),
    ) {
        let start = Timestamp::from_seconds(1_000_000);
        let job = JobView {
            kind,
            status: JobStatus::Running,
            strategy: strategy(size, max_failures, policy, offline, 5),
            cancel: CancelMode::Keep,
            started_at: start,
            now: start,
        };
        let tasks = (0..targets).map(|index| TaskView {
            id: id(index as u128),
            kind: TaskKind::Forward,
            undoes: None,
            batch: (index / size) as u32,
            status: TaskStatus::Pending,
            attempt: 0,
            remains: None,
            reach: Reach::Online,
            stop: Stop::NotAsked,
            created_at: start,
            finished_at: None,
        });
        let mut world = World { job, tasks: tasks.collect(), size, made: 0, choices: Choices { list, next: 0 }, over: false };
        let mut rounds = 0;
        while !world.job.status.is_terminal() {
            rounds += 1;
            prop_assert!(rounds < 3_000, "no end in sight: {:?} {:?}", world.job.status, world.tasks);
            let effects = advance(&world.job, &world.tasks);
            prop_assert_eq!(&effects, &advance(&world.job, &world.tasks), "the same question, the same answer");
            for effect in effects {
                world.perform(effect);
            }
            world.check();
            if !world.job.status.is_terminal() {
                world.agents();
                world.check();
                world.people();
            }
            world.job.now = world.job.now.plus_seconds(7);
        }
        world.check_end();
    }
}
