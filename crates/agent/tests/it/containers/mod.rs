//! `docker_host` against real engines: the same suite on Docker and on Podman. The oracle is the engine's own
//! command line.

mod checks;
mod neighbours;
mod ports;
mod releases;
mod secrets;
mod sets;
mod watching;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use plimsoll_agent::drivers::{docker::DockerHost, probe::Prober};
use plimsoll_core::{
    component::{Runtime, runtime::Volume},
    deployment::spec::ComponentSpec,
};
use plimsoll_protocol::agent::{
    host::{Connection, DockerConnection},
    order::TaskOrder,
    report::{TaskOutcome, TaskResult},
};
use plimsoll_testkit::{ContainerHost, Engine, Image, Registry, RegistryAccess, RegistryOptions, TestNetwork};

use crate::{
    site::{OpenDir, ask, component, demo_image, run, web_runtime},
    support::{fresh_task, order, spec},
};

struct Site {
    dir: OpenDir,
    engine: ContainerHost,
    registry: Registry,
    host: DockerHost,
    epoch: u64,
    _network: TestNetwork,
}

impl Site {
    fn new(engine: Engine) -> Self {
        Self::with_access(engine, RegistryAccess::Anonymous)
    }

    fn with_access(engine: Engine, access: RegistryAccess) -> Self {
        let network = TestNetwork::new().unwrap();
        let options = RegistryOptions { address: network.gateway(), access, ..RegistryOptions::default() };
        let registry = Registry::start_with(options).unwrap();
        let engine = ContainerHost::start(&network, engine).unwrap();
        let dir = OpenDir::new();
        let host = DockerHost::new(dir.path().join("target"), connection(&engine), Prober::new().unwrap());
        Self { dir, engine, registry, host, epoch: 0, _network: network }
    }

    async fn web(&self, version: &str, more: &[&str], runtime: Runtime) -> ComponentSpec {
        self.demo("web", version, more, runtime).await
    }

    /// The demo application as a component of that name.
    async fn demo(&self, name: &str, version: &str, more: &[&str], runtime: Runtime) -> ComponentSpec {
        let pushed = demo_image(version, more).push(&self.registry, name, version).await.unwrap();
        component(name, &self.registry, name, &pushed, runtime)
    }

    async fn busybox(&self, name: &str, words: &[&str], runtime: Runtime) -> ComponentSpec {
        let pushed = Image::busybox().unwrap().command(words).push(&self.registry, name, "1").await.unwrap();
        component(name, &self.registry, name, &pushed, runtime)
    }

    /// A web server that writes its starts into a file of this host.
    fn runtime(&self) -> Runtime {
        let volume = Volume {
            source: self.dir.path().display().to_string(),
            target: "/data".into(),
            read_only: false,
            exclusive: false,
            external: false,
        };
        Runtime {
            environment: BTreeMap::from([("LEDGER".to_owned(), "/data/ledger".to_owned())]),
            volumes: vec![volume],
            ..web_runtime()
        }
    }

    fn order(&mut self, components: &[&ComponentSpec]) -> TaskOrder {
        self.epoch += 1;
        let components = components.iter().map(|component| (*component).clone()).collect();
        let mut order = order(fresh_task(), self.epoch, Some(spec(self.epoch as u8, components)));
        order.target.connection = Connection::DockerHost(connection(&self.engine));
        order
    }

    /// Deploys what must succeed.
    async fn deploy(&mut self, components: &[&ComponentSpec]) -> TaskResult {
        let order = self.order(components);
        let (result, log) = run(&self.host, &self.data(), &order).await;
        assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
        result
    }

    /// Deploys what may fail; gives the task's log too.
    async fn attempt(&mut self, components: &[&ComponentSpec]) -> (TaskResult, String) {
        let order = self.order(components);
        run(&self.host, &self.data(), &order).await
    }

    fn cli(&self, arguments: &[&str]) -> String {
        self.engine.cli(arguments).unwrap().trim().to_owned()
    }

    fn inspect(&self, name: &str, format: &str) -> String {
        self.cli(&["inspect", "--format", format, name])
    }

    /// Names of what runs, as the engine says.
    fn running(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.cli(&["ps", "--format", "{{.Names}}"]).lines().map(ToOwned::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// What runs, with when it was started: two that are equal are the same life of the same container.
    fn lives(&self) -> Vec<(String, String)> {
        let life = |name: String| {
            let started = self.inspect(&name, "{{.Id}} {{.State.StartedAt}}");
            (name, started)
        };
        self.running().into_iter().map(life).collect()
    }

    /// The one that runs of a component.
    fn running_of(&self, component: &str) -> String {
        let mut names = self.running();
        names.retain(|name| name.starts_with(&format!("shop-{component}-")));
        assert_eq!(names.len(), 1, "{names:?}");
        names.remove(0)
    }

    /// Where the one that runs of a component answers, as the engine says.
    fn endpoint(&self, component: &str) -> String {
        let ports = self.cli(&["port", &self.running_of(component), "8080/tcp"]);
        let port = ports.lines().next().unwrap().rsplit_once(':').unwrap().1;
        format!("{}:{port}", self.engine.address())
    }

    fn all(&self) -> usize {
        self.cli(&["ps", "--all", "--quiet"]).lines().count()
    }

    fn data(&self) -> PathBuf {
        self.dir.path()
    }
}

fn connection(engine: &ContainerHost) -> DockerConnection {
    DockerConnection {
        socket: Some(engine.socket().display().to_string()),
        deployment_directory: None,
        advertise_address: Some(engine.address().to_string()),
    }
}

const fn word(engine: Engine) -> &'static str {
    match engine {
        Engine::Docker => "docker",
        Engine::Podman => "podman",
    }
}

/// Runs each scenario on both engines.
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
use on_both_engines;

/// Asks ten times a second until told to stop; gives what went wrong.
fn client(address: String, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<(usize, Vec<String>)> {
    tokio::spawn(async move {
        let (mut asked, mut wrong) = (0, Vec::new());
        let mut ticks = tokio::time::interval(Duration::from_millis(100));
        while !stop.load(Ordering::SeqCst) {
            ticks.tick().await;
            asked += 1;
            if let Err(error) = ask(&address, "/health").await {
                wrong.push(error);
            }
        }
        (asked, wrong)
    })
}

/// How many of the containers that run answer their health check.
async fn answering(site: &Site) -> usize {
    let mut count = 0;
    for name in site.running() {
        let Ok(ports) = site.engine.cli(&["port", &name, "8080/tcp"]) else { continue };
        let Some((_, port)) = ports.lines().next().and_then(|line| line.rsplit_once(':')) else { continue };
        let answer = ask(&format!("{}:{port}", site.engine.address()), "/health").await;
        count += usize::from(answer.is_ok_and(|text| text == "healthy"));
    }
    count
}
