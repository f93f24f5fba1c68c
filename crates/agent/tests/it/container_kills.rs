//! The agent's program killed at every point while it works on an engine: no container is started twice for
//! one task, and one set runs.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt, process::Command};

use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Publish, Switch, Volume},
    },
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::{
    host::{Connection, DockerConnection},
    order::TaskOrder,
    report::{TaskOutcome, TaskResult},
};
use plimsoll_testkit::{
    ContainerHost, Engine, PATIENCE, Process, Registry, RegistryOptions, TestNetwork, eventually_async, free_port,
};

use crate::{
    server::{Server, TOKEN},
    site::{OpenDir, ask, component, demo_image, starts, web_runtime},
    support::{fresh_task, order, spec, target},
};

const AGENT: &str = env!("CARGO_BIN_EXE_plimsoll-agent");

struct Story {
    agent: Option<Process>,
    engine: ContainerHost,
    registry: Registry,
    server: Server,
    dir: OpenDir,
    epoch: u64,
    /// A host port makes it `recreate`; without one it has a name on a network, so that its switch is a real one.
    port: Option<u16>,
    _network: TestNetwork,
}

impl Story {
    /// With a first release that stands.
    async fn new(engine: Engine, port: Option<u16>) -> Self {
        let network = TestNetwork::new().unwrap();
        let options = RegistryOptions { address: network.gateway(), ..RegistryOptions::default() };
        let registry = Registry::start_with(options).unwrap();
        let engine = ContainerHost::start(&network, engine).unwrap();
        let (server, dir) = (Server::start().await, OpenDir::new());
        dir.ledger();
        let mut enrol = Command::new(AGENT);
        enrol.args(["enrol", "--server", &server.url(), "--token", TOKEN, "--data-dir"]).arg(dir.path().join("agent"));
        assert!(enrol.output().unwrap().status.success());
        let mut story = Self { agent: None, engine, registry, server, dir, epoch: 0, port, _network: network };
        let first = story.web("1.0.0", &[]).await;
        story.start(None);
        let order = story.order(&first);
        story.server.offer(story.server.sign(&order));
        let result = story.result(&order).await;
        assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}");
        story
    }

    async fn result(&self, order: &TaskOrder) -> TaskResult {
        eventually_async("a result came", PATIENCE, async || self.server.results(order).pop()).await.unwrap()
    }

    fn start(&mut self, failpoint: Option<&str>) {
        self.agent = None;
        let mut command = Command::new(AGENT);
        command.args(["run", "--data-dir"]).arg(self.dir.path().join("agent"));
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
        let volume = Volume {
            source: self.dir.path().display().to_string(),
            target: "/data".into(),
            read_only: false,
            exclusive: false,
            external: false,
        };
        let mut runtime = Runtime {
            environment: BTreeMap::from([("LEDGER".to_owned(), "/data/ledger".to_owned())]),
            volumes: vec![volume],
            ..runtime
        };
        match self.port {
            Some(port) => (runtime.ports[0].publish, runtime.switch) = (Publish::Fixed(port), Some(Switch::Recreate)),
            None => runtime.networks = vec!["plimsoll-kills".to_owned()],
        }
        component("web", &self.registry, "web", &pushed, runtime)
    }

    fn order(&mut self, web: &ComponentSpec) -> TaskOrder {
        self.epoch += 1;
        let mut order = order(fresh_task(), self.epoch, Some(spec(self.epoch as u8, vec![web.clone()])));
        order.agent_id = self.server.agent();
        order.target.connection = Connection::DockerHost(DockerConnection {
            socket: Some(self.engine.socket().display().to_string()),
            deployment_directory: None,
            advertise_address: Some(self.engine.address().to_string()),
        });
        order
    }

    /// Runs a release with an agent that dies at `point`, and a second life of it.
    async fn survives(&mut self, point: &str, web: &ComponentSpec, outcome: TaskOutcome, serving: &str) {
        self.start(Some(point));
        let order = self.order(web);
        self.server.offer(self.server.sign(&order));
        let died = self.agent.as_mut().unwrap().wait(PATIENCE).unwrap_or_else(|error| panic!("{point}: {error}"));
        assert_eq!(died.signal(), Some(6), "{point}: it aborted");
        self.start(None);
        let result = self.result(&order).await;
        assert_eq!(result.outcome, outcome, "{point}: {result:?}");
        let tasks = self.dir.path().join("agent/tasks");
        let settled = async || std::fs::read_dir(&tasks).unwrap().count() == 0;
        eventually_async("the result was acknowledged", PATIENCE, settled).await.unwrap();

        let digest = web.image.digest.to_string();
        let ledger = starts(&self.dir.path().join("ledger"));
        assert_eq!(ledger.iter().filter(|(started, _)| *started == digest).count(), 1, "{point}: started once");
        let all = self.engine.cli(&["ps", "--all", "--quiet"]).unwrap();
        assert_eq!(all.lines().count(), 1, "{point}: one set");
        let policy =
            self.engine.cli(&["inspect", "--format", "{{.HostConfig.RestartPolicy.Name}}", all.trim()]).unwrap();
        assert_eq!(policy.trim(), "unless-stopped", "{point}");
        assert_eq!(ask(&result.components[0].endpoints[0].address, "/").await.unwrap(), serving, "{point}");
        let target = self.dir.path().join("agent/deployments").join(target().id.to_string());
        let sticker = std::fs::read_to_string(target.join("shop.plimsoll.json")).unwrap();
        let is_new = sticker.contains(&order.task_id.to_string());
        assert_eq!((is_new, result.sticker_placed), (outcome == TaskOutcome::Succeeded, is_new), "{point}");
    }

    /// One release a point, each of which comes in the end.
    async fn comes_in(&mut self, points: &[&str]) {
        for (number, point) in points.iter().enumerate() {
            let version = format!("2.0.{number}");
            let web = self.web(&version, &[]).await;
            self.survives(&format!("agent::{point}"), &web, TaskOutcome::Succeeded, &version).await;
        }
    }

    /// One bad release a point, each of which is taken back in the end.
    async fn is_taken_back(&mut self, points: &[&str]) {
        for (number, point) in points.iter().enumerate() {
            let bad = self.web(&format!("3.0.{number}"), &["--unhealthy"]).await;
            self.survives(&format!("agent::{point}"), &bad, TaskOutcome::RolledBack, "1.0.0").await;
        }
    }
}

/// Points in the order in which a release passes them; together with those on the way back, all there are.
const UNTIL_HEALTHY: [&str; 8] =
    ["offer_received", "journal_written", "ack_sent", "step_begun", "pulled", "made", "started", "healthy"];
const AFTERWARDS: [&str; 7] =
    ["switched", "old_stopped", "settled", "sticker_placed", "discarded", "result_journaled", "result_sent"];
const BACK: [&str; 4] = ["made", "started", "undo_begun", "undone"];

#[test]
fn container_kills_go_through_every_point() {
    let mut gone_through: Vec<String> =
        UNTIL_HEALTHY.iter().chain(&AFTERWARDS).chain(&BACK).map(|point| format!("agent::{point}")).collect();
    let mut all = plimsoll_agent::failpoint::POINTS.to_vec();
    gone_through.sort_unstable();
    gone_through.dedup();
    all.sort_unstable();
    assert_eq!(gone_through, all);
}

macro_rules! on_both_engines {
    ($($name:ident),+ $(,)?) => {
        mod docker {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(plimsoll_testkit::Engine::Docker).await; })+
        }
        mod podman {
            $(#[tokio::test(flavor = "multi_thread")] async fn $name() { super::$name(plimsoll_testkit::Engine::Podman).await; })+
        }
    };
}

on_both_engines!(
    killed_before_it_is_healthy_it_comes_in,
    killed_after_it_is_healthy_it_comes_in,
    killed_in_the_gap_it_comes_in,
    killed_while_it_takes_back_it_still_takes_back,
);

async fn killed_before_it_is_healthy_it_comes_in(engine: Engine) {
    Story::new(engine, None).await.comes_in(&UNTIL_HEALTHY).await;
}

async fn killed_after_it_is_healthy_it_comes_in(engine: Engine) {
    Story::new(engine, None).await.comes_in(&AFTERWARDS).await;
}

async fn killed_in_the_gap_it_comes_in(engine: Engine) {
    let mut story = Story::new(engine, Some(free_port().unwrap())).await;
    story.comes_in(&["made", "old_stopped", "started", "healthy"]).await;
    let bad = story.web("3.0.0", &["--unhealthy"]).await;
    story.survives("agent::old_stopped", &bad, TaskOutcome::RolledBack, "2.0.3").await;
}

async fn killed_while_it_takes_back_it_still_takes_back(engine: Engine) {
    Story::new(engine, None).await.is_taken_back(&BACK).await;
}
