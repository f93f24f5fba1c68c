//! The agent's program killed at every point while it works on an engine: no container is started twice for
//! one task, and one set runs.

use std::{collections::BTreeMap, os::unix::process::ExitStatusExt, process::Command};

use plimsoll_core::{
    component::{Runtime, runtime::Volume},
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::{
    host::{Connection, DockerConnection},
    order::TaskOrder,
    report::TaskOutcome,
};
use plimsoll_testkit::{
    ContainerHost, Engine, PATIENCE, Process, Registry, RegistryOptions, TestNetwork, eventually_async,
};

use crate::{
    server::{Server, TOKEN},
    site::{OpenDir, ask, component, demo_image, starts, web_runtime},
    support::{fresh_task, order, spec},
};

const AGENT: &str = env!("CARGO_BIN_EXE_plimsoll-agent");

struct Story {
    agent: Option<Process>,
    engine: ContainerHost,
    registry: Registry,
    server: Server,
    dir: OpenDir,
    epoch: u64,
    _network: TestNetwork,
}

impl Story {
    async fn new() -> Self {
        let network = TestNetwork::new().unwrap();
        let options = RegistryOptions { address: network.gateway(), ..RegistryOptions::default() };
        let registry = Registry::start_with(options).unwrap();
        let engine = ContainerHost::start(&network, Engine::Docker).unwrap();
        let (server, dir) = (Server::start().await, OpenDir::new());
        dir.ledger();
        let mut enrol = Command::new(AGENT);
        enrol.args(["enrol", "--server", &server.url(), "--token", TOKEN, "--data-dir"]).arg(dir.path().join("agent"));
        assert!(enrol.output().unwrap().status.success());
        Self { agent: None, engine, registry, server, dir, epoch: 0, _network: network }
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

    /// Its switch is a real one: it has a name on a network.
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
        let runtime = Runtime {
            environment: BTreeMap::from([("LEDGER".to_owned(), "/data/ledger".to_owned())]),
            volumes: vec![volume],
            networks: vec!["plimsoll-kills".to_owned()],
            ..runtime
        };
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
        let result =
            eventually_async("a result came", PATIENCE, async || self.server.results(&order).pop()).await.unwrap();
        assert_eq!(result.outcome, outcome, "{point}: {result:?}");
        let digest = web.image.digest.to_string();
        let ledger = starts(&self.dir.path().join("ledger"));
        assert_eq!(ledger.iter().filter(|(started, _)| *started == digest).count(), 1, "{point}: started once");
        let all = self.engine.cli(&["ps", "--all", "--quiet"]).unwrap();
        assert_eq!(all.lines().count(), 1, "{point}: one set");
        assert_eq!(ask(&result.components[0].endpoints[0].address, "/").await.unwrap(), serving, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn docker_has_one_set_whenever_the_agent_is_killed() {
    let mut story = Story::new().await;
    let forward = ["pulled", "started", "healthy", "switched", "old_stopped", "settled", "sticker_placed", "discarded"];
    for (number, point) in forward.into_iter().enumerate() {
        // The first one finds nothing to switch from.
        let point = if number == 0 { "started" } else { point };
        let version = format!("1.0.{number}");
        let web = story.web(&version, &[]).await;
        story.survives(&format!("agent::{point}"), &web, TaskOutcome::Succeeded, &version).await;
    }
    for (number, point) in ["started", "undo_begun", "undone"].into_iter().enumerate() {
        let bad = story.web(&format!("2.0.{number}"), &["--unhealthy"]).await;
        story.survives(&format!("agent::{point}"), &bad, TaskOutcome::RolledBack, "1.0.7").await;
    }
}
