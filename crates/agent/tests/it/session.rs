//! The agent's program against a server: enrolled, offered, killed at every point, cut off, cancelled.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::{Command, Output},
    time::Duration,
};

use plimsoll_agent::{
    failpoint::POINTS,
    supervise::{Phase, Workdir},
};
use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Publish, Switch},
    },
    deployment::{Remains, spec::ComponentSpec},
};
use plimsoll_evidence::SigningKey;
use plimsoll_protocol::agent::{
    AgentFrame, ServerFrame,
    observe::{ObserveKind, ObserveRequest, RunState},
    order::{TaskCancel, TaskOrder},
    report::{TaskErrorCode, TaskOutcome, TaskResult},
};
use plimsoll_testkit::{PATIENCE, Process, Registry, eventually_async, free_port};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    server::{Server, TOKEN},
    site::{OpenDir, ask, component, demo_image, starts, web_runtime},
    support::{fresh_task, order, spec, target},
};

const AGENT: &str = env!("CARGO_BIN_EXE_plimsoll-agent");

struct Story {
    dir: OpenDir,
    registry: Registry,
    server: Server,
    epoch: u64,
    agent: Option<Process>,
}

impl Story {
    async fn new() -> Self {
        Self::with_lease(60).await
    }

    async fn with_lease(seconds: u32) -> Self {
        let server = Server::start().await;
        server.renews_leases(true, seconds);
        let mut story =
            Self { dir: OpenDir::new(), registry: Registry::start().unwrap(), server, epoch: 0, agent: None };
        story.dir.ledger();
        let enrolled = story.enrol(TOKEN);
        assert!(enrolled.status.success(), "{enrolled:?}");
        story.start(None);
        story
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("agent")
    }

    fn enrol(&self, token: &str) -> Output {
        let mut command = Command::new(AGENT);
        command.args(["enrol", "--server", &self.server.url(), "--token", token, "--data-dir"]).arg(self.data());
        command.output().unwrap()
    }

    fn start(&mut self, failpoint: Option<&str>) {
        self.agent = None;
        let mut command = Command::new(AGENT);
        command.args(["run", "--data-dir"]).arg(self.data());
        if let Some(point) = failpoint {
            command.env("PLIMSOLL_FAILPOINT", point);
        }
        self.agent = Some(Process::spawn(&mut command, "agent", &self.dir.path()).unwrap());
    }

    async fn web(&self, version: &str, more: &[&str]) -> ComponentSpec {
        let pushed = demo_image(version, more).push(&self.registry, "web", version).await.unwrap();
        let mut runtime = web_runtime();
        if let Some(health) = &mut runtime.health {
            (health.healthy_for_seconds, health.retries) = (0, 2);
        }
        let ledger = self.dir.path().join("ledger").display().to_string();
        component(
            "web",
            &self.registry,
            "web",
            &pushed,
            Runtime { environment: [("LEDGER".to_owned(), ledger)].into(), ..runtime },
        )
    }

    fn order(&mut self, web: &ComponentSpec) -> TaskOrder {
        self.epoch += 1;
        let spec = spec(self.epoch as u8, vec![web.clone()]);
        TaskOrder { agent_id: self.server.agent(), ..order(fresh_task(), self.epoch, Some(spec)) }
    }

    async fn result(&self, order: &TaskOrder) -> TaskResult {
        let first = eventually_async("a result came", PATIENCE, async || self.server.results(order).pop()).await;
        first.unwrap_or_else(|error| panic!("{error}\n{}", self.agent.as_ref().unwrap().log().unwrap()))
    }

    async fn run(&mut self, web: &ComponentSpec) -> TaskResult {
        let order = self.order(web);
        self.server.offer(self.server.sign(&order));
        self.result(&order).await
    }

    fn journals(&self) -> usize {
        fs::read_dir(self.data().join("tasks")).unwrap().count()
    }

    async fn settled(&self) {
        eventually_async("the journal is gone", PATIENCE, async || self.journals() == 0).await.unwrap();
    }

    fn states(&self) -> Vec<(Workdir, plimsoll_agent::supervise::State)> {
        let processes = self.data().join("deployments").join(target().id.to_string()).join("processes");
        let entries = fs::read_dir(processes).into_iter().flatten();
        entries
            .filter_map(|entry| {
                let dir = Workdir(entry.ok()?.path());
                let state = dir.state().ok()??;
                Some((dir, state))
            })
            .collect()
    }

    /// The versions that answer, by asking every process that runs.
    async fn serving(&self) -> Vec<String> {
        let mut versions = Vec::new();
        for (dir, state) in self.states() {
            if matches!(&state.phase, Phase::Running { process, .. } if process.is_alive()) {
                let address = dir.spec().unwrap().unwrap().endpoints[0].address.clone();
                versions.push(ask(&address, "/").await.unwrap_or_else(|error| error));
            }
        }
        versions
    }
}

impl Drop for Story {
    fn drop(&mut self) {
        self.agent = None;
        for (_, state) in self.states() {
            let process = match &state.phase {
                Phase::Running { process, .. } => Some(process.pid),
                Phase::Starting | Phase::Waiting { .. } | Phase::Ended { .. } => None,
            };
            let supervisor = state.supervisor.is_alive().then_some(state.supervisor.pid);
            for pid in supervisor.into_iter().chain(process) {
                _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_done_once_and_reported_until_it_is_acknowledged() {
    let mut story = Story::new().await;
    story.server.book().targets.push(target());
    let web = story.web("1.0.0", &[]).await;
    story.server.acknowledges(false);
    let order = story.order(&web);
    let offer = story.server.sign(&order);
    story.server.offer(offer.clone());
    let result = story.result(&order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}");
    assert!(result.sticker_placed);

    // Offered again, it is acknowledged again and not done again; unacknowledged, the result comes again.
    story.server.say(ServerFrame::Offer(offer));
    eventually_async("it was acknowledged twice", PATIENCE, async || story.server.acks(&order) == [true, true])
        .await
        .unwrap();
    story.server.hang_up();
    story.server.acknowledges(true);
    eventually_async("the result came again", PATIENCE, async || story.server.results(&order).len() > 1).await.unwrap();
    story.settled().await;
    assert_eq!(starts(&story.dir.path().join("ledger")).len(), 1);

    // What is seen there, asked for.
    let request =
        ObserveRequest { request_id: "q1".into(), kind: ObserveKind::Drift, target: target(), deadline_seconds: 10 };
    story.server.say(ServerFrame::Observe(request));
    let seen = eventually_async("an observation came", PATIENCE, async || {
        story.server.book().frames.iter().find_map(|frame| match frame {
            AgentFrame::Observation(report) if report.request_id == "q1" => Some(report.seen.clone()),
            _ => None,
        })
    });
    let seen = seen.await.unwrap();
    assert_eq!((seen.running.len(), seen.epoch), (1, order.epoch));
    assert_eq!((seen.running[0].state, seen.running[0].made_by_digest), (RunState::Running, Some(web.image.digest)));
    assert_eq!(seen.stickers[0].envelope, order.sticker.clone().unwrap());
    // And unasked.
    let status = || {
        story
            .server
            .book()
            .frames
            .iter()
            .any(|frame| matches!(frame, AgentFrame::Status(status) if !status.targets.is_empty()))
    };
    eventually_async("a status came", PATIENCE, async || status()).await.unwrap();
    eventually_async("heartbeats came", PATIENCE, async || story.server.book().heartbeats > 0).await.unwrap();
    let progressed: BTreeSet<_> = story
        .server
        .book()
        .frames
        .iter()
        .filter_map(|frame| match frame {
            AgentFrame::Progress(progress) => Some(progress.step),
            _ => None,
        })
        .collect();
    assert!(progressed.len() >= 7, "{progressed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_the_server_signed_for_this_agent_is_done() {
    let mut story = Story::new().await;
    let web = story.web("1.0.0", &[]).await;
    let forged = story.order(&web);
    let mut offer = story.server.sign(&forged);
    offer.order = offer.order.replace("1.0.1", "6.6.6");
    let stranger = SigningKey::generate().unwrap();
    let by_stranger = story.order(&web);
    let mut strange = story.server.sign(&by_stranger);
    strange.signature.value = stranger.sign_payload("x", strange.order.as_bytes()).unwrap().signatures[0].sig.clone();
    let mut elsewhere = story.order(&web);
    elsewhere.agent_id = plimsoll_core::context::Context::system().id();
    let for_another = story.server.sign(&elsewhere);
    for (order, offer) in [(&forged, offer), (&by_stranger, strange), (&elsewhere, for_another)] {
        story.server.offer(offer);
        eventually_async("it was refused", PATIENCE, async || story.server.acks(order) == [false]).await.unwrap();
    }
    assert_eq!(story.journals(), 0);
    assert!(starts(&story.dir.path().join("ledger")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_point_it_starts_each_release_once_and_ends_with_one_set() {
    let mut story = Story::new().await;
    let first = story.web("1.0.0", &[]).await;
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);
    let forward =
        POINTS.iter().filter(|point| !["agent::undo_begun", "agent::undone", "agent::switched"].contains(point));
    for (number, point) in (0..).zip(forward) {
        let version = format!("2.0.{number}");
        let web = story.web(&version, &[]).await;
        survives(&mut story, point, &web, TaskOutcome::Succeeded, &version).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_takes_back_it_still_takes_back() {
    let mut story = Story::new().await;
    let first = story.web("1.0.0", &[]).await;
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);
    let points =
        ["agent::started", "agent::undo_begun", "agent::undone", "agent::result_journaled", "agent::result_sent"];
    for (number, point) in points.iter().enumerate() {
        let bad = story.web(&format!("3.0.{number}"), &["--unhealthy"]).await;
        survives(&mut story, point, &bad, TaskOutcome::RolledBack, "1.0.0").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_in_the_gap_of_a_fixed_port_it_comes_in() {
    let mut story = Story::new().await;
    let port = free_port().unwrap();
    let on_port = |mut web: ComponentSpec| {
        (web.runtime.ports[0].publish, web.runtime.switch) = (Publish::Fixed(port), Some(Switch::Recreate));
        web
    };
    let first = on_port(story.web("1.0.0", &[]).await);
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);
    for (number, point) in ["agent::made", "agent::old_stopped", "agent::started", "agent::healthy"].iter().enumerate()
    {
        let version = format!("2.0.{number}");
        let web = on_port(story.web(&version, &[]).await);
        survives(&mut story, point, &web, TaskOutcome::Succeeded, &version).await;
    }
    let bad = on_port(story.web("3.0.0", &["--unhealthy"]).await);
    survives(&mut story, "agent::old_stopped", &bad, TaskOutcome::RolledBack, "2.0.3").await;
}

/// Runs a release with an agent that dies at `point`, and a second life of it.
async fn survives(story: &mut Story, point: &str, web: &ComponentSpec, outcome: TaskOutcome, serving: &str) {
    story.settled().await;
    story.start(Some(point));
    let order = story.order(web);
    story.server.offer(story.server.sign(&order));
    let died = story.agent.as_mut().unwrap().wait(PATIENCE).unwrap_or_else(|error| panic!("{point}: {error}"));
    assert_eq!(died.signal(), Some(6), "{point}: it aborted");
    story.start(None);
    let result = story.result(&order).await;
    assert_eq!(result.outcome, outcome, "{point}: {result:?}");
    story.settled().await;
    let digest = web.image.digest.to_string();
    let ledger = starts(&story.dir.path().join("ledger"));
    assert_eq!(ledger.iter().filter(|(started, _)| *started == digest).count(), 1, "{point}: started once");
    assert_eq!(story.serving().await, [serving], "{point}: one set");
    let results = story.server.results(&order);
    assert!(results.iter().all(|one| one.outcome == outcome), "{point}: one verdict");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_and_a_lost_lease_put_the_old_set_back() {
    let mut story = Story::with_lease(5).await;
    let first = story.web("1.0.0", &[]).await;
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);

    // Never healthy within the test's patience: it listens after a minute.
    let mut slow = story.web("2.0.0", &["--start-delay-ms", "60000"]).await;
    if let Some(health) = &mut slow.runtime.health {
        (health.start_period_seconds, health.deadline_seconds) = (300, 300);
    }
    let order = story.order(&slow);
    story.server.offer(story.server.sign(&order));
    let ledger = story.dir.path().join("ledger");
    eventually_async("it was started", PATIENCE, async || starts(&ledger).len() == 2).await.unwrap();
    story.server.say(ServerFrame::Cancel(TaskCancel { task_id: order.task_id, epoch: order.epoch, grace_seconds: 10 }));
    let result = story.result(&order).await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled, "{result:?}");
    story.settled().await;
    assert_eq!(story.serving().await, ["1.0.0"]);

    // The lease runs out while the link is up and nobody renews it.
    let order = story.order(&slow);
    story.server.offer(story.server.sign(&order));
    eventually_async("it was started", PATIENCE, async || starts(&ledger).len() == 3).await.unwrap();
    story.server.renews_leases(false, 5);
    let result = story.result(&order).await;
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}");
    assert_eq!(result.error.unwrap().code, TaskErrorCode::LeaseLost);
    assert_eq!(story.serving().await, ["1.0.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_damaged_journal_it_says_that_it_can_not_tell_and_the_next_task_leaves_one_set() {
    let mut story = Story::new().await;
    let first = story.web("1.0.0", &[]).await;
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);
    story.settled().await;
    story.start(Some("agent::started"));
    let second = story.web("2.0.0", &[]).await;
    let order = story.order(&second);
    story.server.offer(story.server.sign(&order));
    let died = story.agent.as_mut().unwrap().wait(PATIENCE).unwrap();
    assert_eq!(died.signal(), Some(6));
    let journal = story.data().join("tasks").join(format!("{}.journal", order.task_id));
    let mut content = fs::read(&journal).unwrap();
    content[40] ^= 1;
    fs::write(&journal, content).unwrap();
    story.start(None);
    eventually_async("it connected again", PATIENCE, async || story.server.connections() == 3).await.unwrap();
    assert_eq!(story.serving().await.len(), 2, "nobody knows what is to go");
    let told = |order: &TaskOrder| TaskCancel { task_id: order.task_id, epoch: order.epoch, grace_seconds: 10 };
    story.server.say(ServerFrame::Cancel(told(&order)));
    let result = story.result(&order).await;
    assert_eq!((result.outcome, result.remains), (TaskOutcome::Unknown, None), "{result:?}");
    // One that never came is another matter.
    let never = story.order(&second);
    story.server.say(ServerFrame::Cancel(told(&never)));
    let result = story.result(&never).await;
    assert_eq!((result.outcome, result.remains), (TaskOutcome::Cancelled, Some(Remains::Restored)), "{result:?}");
    assert_eq!(story.run(&first).await.outcome, TaskOutcome::Succeeded);
    assert_eq!(story.serving().await, ["1.0.0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_lease_is_renewed_before_it_ends() {
    // Until the server has spoken the agent counts on a long one, whose third would come too late.
    let story = Story::with_lease(3).await;
    let renewals = || {
        let asks = |frame: &&AgentFrame| matches!(frame, AgentFrame::LeaseRenew(_));
        story.server.book().frames.iter().filter(asks).count()
    };
    eventually_async("it is renewed", Duration::from_secs(15), async || renewals() > 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_is_repeatable_with_the_same_key_and_no_other() {
    let mut story = Story::new().await;
    let again = story.enrol(TOKEN);
    assert!(again.status.success(), "a lost answer is no harm: {again:?}");
    let refused = story.enrol("wrong");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("make a new one"), "{refused:?}");
    eventually_async("it connected", PATIENCE, async || story.server.connections() == 1).await.unwrap();
    // A killed agent repeats its unanswered join, or counts on.
    for life in 2..4 {
        story.agent.as_mut().unwrap().kill().unwrap();
        story.start(None);
        eventually_async("it connected again", PATIENCE, async || story.server.connections() == life).await.unwrap();
    }
    let joins: Vec<u64> = story.server.book().joins.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(joins, [1, 2, 3]);

    // Another key may not use the token.
    story.agent = None;
    fs::remove_file(story.data().join("agent.key")).unwrap();
    let other = story.enrol(TOKEN);
    assert!(String::from_utf8_lossy(&other.stderr).contains("another key"), "{other:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_join_that_was_answered_already_is_counted_and_not_repeated() {
    let mut story = Story::new().await;
    eventually_async("it connected", PATIENCE, async || story.server.connections() == 1).await.unwrap();
    story.agent.as_mut().unwrap().kill().unwrap();
    story.server.book().answered = 2;
    story.start(None);
    eventually_async("it connected again", PATIENCE, async || story.server.connections() == 2).await.unwrap();
    let joins: Vec<u64> = story.server.book().joins.iter().map(|(seq, _)| *seq).collect();
    assert_eq!(joins, [1, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_in_the_same_directory_is_refused() {
    let story = Story::new().await;
    eventually_async("it connected", PATIENCE, async || story.server.connections() == 1).await.unwrap();
    let second = Command::new(AGENT).args(["run", "--data-dir"]).arg(story.data()).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("another agent"), "{second:?}");
}
