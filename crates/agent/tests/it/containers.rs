//! `docker_host` against real engines: the same suite on Docker and on Podman. The oracle is the engine's own
//! command line.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use plimsoll_agent::drivers::{docker::DockerHost, host::InstanceHost, probe::Prober};
use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Health, HealthCheck, Publish, RestartPolicy, SecretForm, SecretMount, Switch, Volume},
    },
    deployment::{
        Remains,
        spec::{ComponentSpec, label},
    },
};
use plimsoll_protocol::agent::{
    host::{Connection, DockerConnection},
    observe::RunState,
    order::TaskOrder,
    report::{HealthVerdict, TaskErrorCode, TaskOutcome},
};
use plimsoll_testkit::{
    ContainerHost, Engine, Image, PATIENCE, Registry, RegistryAccess, RegistryOptions, TestNetwork, eventually_async,
    free_port,
};

use crate::{
    site::{OpenDir, SECRET, ask, component, demo_image, http_health, run, run_until, starts, web_runtime},
    support::{fresh_task, order, spec, target},
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
        let pushed = demo_image(version, more).push(&self.registry, "web", version).await.unwrap();
        component("web", &self.registry, "web", &pushed, runtime)
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

on_both_engines!(
    a_release_comes_is_replaced_beside_the_old_one_and_a_bad_one_is_taken_back,
    a_fixed_port_and_an_exclusive_volume_are_handed_over,
    secrets_and_credentials_are_for_the_task_alone,
    whats_not_ours_stays_and_what_may_be_is_taken_over,
    networks_names_limits_and_checks,
);

/// Asks ten times a second until told to stop; gives what went wrong.
fn client(address: String, stop: Arc<AtomicBool>) -> tokio::task::JoinHandle<(usize, Vec<String>)> {
    tokio::spawn(async move {
        let (mut asked, mut wrong) = (0, Vec::new());
        while !stop.load(Ordering::SeqCst) {
            asked += 1;
            if let Err(error) = ask(&address, "/health").await {
                wrong.push(error);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        (asked, wrong)
    })
}

async fn a_release_comes_is_replaced_beside_the_old_one_and_a_bad_one_is_taken_back(engine: Engine) {
    let mut site = Site::new(engine);
    let ledger = site.dir.ledger();
    let first = site.web("1.0.0", &[], site.runtime()).await;
    let order_1 = site.order(&[&first]);
    let (result, log) = run(&site.host, &site.data(), &order_1).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let web = &result.components[0];
    assert_eq!((web.running_digest, web.health), (Some(first.image.digest), HealthVerdict::Healthy));
    assert_eq!(ask(&web.endpoints[0].address, "/").await.unwrap(), "1.0.0");

    let known = site.host.engine().await.unwrap().unwrap();
    let version = site.cli(&["version", "--format", "{{.Server.APIVersion}}"]);
    assert_eq!((known.name.as_str(), known.api_version), (word(engine), version), "both speak one version");

    // What the engine itself says.
    let [name] = &site.running()[..] else { panic!("{:?}", site.running()) };
    assert!(name.starts_with("shop-web-"), "{name}");
    assert!(site.inspect(name, "{{.Config.Image}}").ends_with(&format!("@{}", first.image.digest)));
    assert!(site.inspect(name, "{{.Image}}").contains(&first.expected.config.hex()));
    for (key, value) in [
        (label::TARGET, target().id.to_string()),
        (label::APPLICATION, "shop".to_owned()),
        (label::COMPONENT, "web".to_owned()),
        (label::TASK, order_1.task_id.to_string()),
        (label::EPOCH, "1".to_owned()),
    ] {
        assert_eq!(site.inspect(name, &format!("{{{{index .Config.Labels \"{key}\"}}}}")), value);
    }
    if engine == Engine::Docker {
        assert_eq!(site.inspect(name, "{{.HostConfig.RestartPolicy.Name}}"), "unless-stopped");
    }

    let second = site.web("2.0.0", &[], site.runtime()).await;
    let order_2 = site.order(&[&second]);
    let (result, log) = run(&site.host, &site.data(), &order_2).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(result.components[0].from_digest, Some(first.image.digest));
    assert_eq!(site.all(), 1, "the old one is gone");
    let good = result.components[0].endpoints[0].address.clone();
    assert_eq!(ask(&good, "/").await.unwrap(), "2.0.0");

    // One that never becomes healthy: the old one serves throughout.
    let stop = Arc::new(AtomicBool::new(false));
    let asking = client(good.clone(), Arc::clone(&stop));
    let bad = site.web("3.0.0", &["--unhealthy"], site.runtime()).await;
    let order_3 = site.order(&[&bad]);
    let (result, log) = run(&site.host, &site.data(), &order_3).await;
    stop.store(true, Ordering::SeqCst);
    let (asked, wrong) = asking.await.unwrap();
    assert_eq!((result.outcome, result.remains), (TaskOutcome::RolledBack, Some(Remains::Restored)), "{log}");
    assert!(asked > 10 && wrong.is_empty(), "{asked}: {wrong:?}");
    let error = result.error.unwrap();
    assert_eq!(error.code, TaskErrorCode::Unhealthy);
    assert!(error.log_tail.iter().any(|line| line.contains("3.0.0 listens")), "{error:?}");
    assert_eq!((site.all(), ask(&good, "/").await.unwrap().as_str()), (1, "2.0.0"));

    // Cancelled in the middle.
    let mut runtime = site.runtime();
    runtime.health = Some(Health { start_period_seconds: 300, deadline_seconds: 300, ..http_health() });
    let slow = site.web("4.0.0", &["--start-delay-ms", "60000"], runtime).await;
    let order_4 = site.order(&[&slow]);
    let started =
        async { eventually_async("it was started", PATIENCE, async || starts(&ledger).len() == 4).await.unwrap() };
    let (result, log) = run_until(&site.host, &site.data(), &order_4, started).await;
    assert_eq!(result.outcome, TaskOutcome::Cancelled, "{log}");
    assert_eq!((site.all(), ask(&good, "/").await.unwrap().as_str()), (1, "2.0.0"));

    // The same again changes nothing; each version was started once.
    let order_5 = site.order(&[&second]);
    let (result, _) = run(&site.host, &site.data(), &order_5).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded);
    let digests: Vec<String> = starts(&ledger).into_iter().map(|(digest, _)| digest).collect();
    assert_eq!(digests, [&first, &second, &bad, &slow].map(|component| component.image.digest.to_string()));

    // And away with it.
    let mut down = site.order(&[]);
    (down.spec, down.sticker) = (None, None);
    let (result, log) = run(&site.host, &site.data(), &down).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(site.all(), 0);
}

async fn a_fixed_port_and_an_exclusive_volume_are_handed_over(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let port = free_port().unwrap();
    let address = format!("{}:{port}", site.engine.address());
    let mut runtime = site.runtime();
    runtime.ports[0].publish = Publish::Fixed(port);
    let volume = Volume {
        source: "plimsoll-test-data".into(),
        target: "/var/data".into(),
        read_only: false,
        exclusive: true,
        external: false,
    };
    runtime.volumes.push(volume.clone());
    let first = site.web("1.0.0", &[], runtime.clone()).await;
    let order = site.order(&[&first]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");

    let second = site.web("2.0.0", &[], runtime.clone()).await;
    let order = site.order(&[&second]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert!(result.components[0].downtime_ms.is_some(), "the gap is told");
    assert_eq!(ask(&address, "/").await.unwrap(), "2.0.0");

    let crash = site.web("3.0.0", &["--crash"], runtime.clone()).await;
    let order = site.order(&[&crash]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{log}");
    let error = result.error.unwrap();
    assert_eq!((error.code, error.exit_code), (TaskErrorCode::StartFailed, Some(3)), "{error:?}");
    assert_eq!(ask(&address, "/").await.unwrap(), "2.0.0");
    assert!(site.cli(&["volume", "ls", "--quiet"]).contains("plimsoll-test-data"), "a volume stays");

    // Refused before anything is changed.
    let taken = free_port().unwrap();
    let reference = first.image.reference();
    site.cli(&["run", "--detach", "--name", "stranger", "--publish", &format!("{taken}:8080"), &reference]);
    let mut other = runtime.clone();
    other.ports[0].publish = Publish::Fixed(taken);
    let mut beside = runtime.clone();
    (beside.switch, beside.volumes) = (Some(Switch::StartFirst), Vec::new());
    let mut absent = runtime;
    absent.volumes.push(Volume {
        source: "nobody-made-me".into(),
        target: "/x".into(),
        external: true,
        exclusive: false,
        ..volume
    });
    for (version, runtime, code) in [
        ("4.0.0", other, TaskErrorCode::PortConflict),
        ("5.0.0", beside, TaskErrorCode::StartFirstNeedsFreePort),
        ("6.0.0", absent, TaskErrorCode::VolumeMissing),
    ] {
        let web = site.web(version, &[], runtime).await;
        let order = site.order(&[&web]);
        let (result, log) = run(&site.host, &site.data(), &order).await;
        assert_eq!(result.outcome, TaskOutcome::Failed, "{log}");
        assert_eq!(result.error.as_ref().map(|error| error.code), Some(code), "{result:?}");
    }
    assert_eq!(ask(&address, "/").await.unwrap(), "2.0.0");
    assert_eq!(site.running().len(), 2, "{:?}", site.running());
}

async fn secrets_and_credentials_are_for_the_task_alone(engine: Engine) {
    let mut site = Site::with_access(engine, RegistryAccess::Basic);
    let secret = |form: SecretForm, target: &str| SecretMount { name: "db".into(), form, target: Some(target.into()) };
    let runtime = Runtime {
        user: Some("4242:4243".into()),
        secrets: vec![secret(SecretForm::Env, "DB_PASSWORD"), secret(SecretForm::File, "/run/secrets/db")],
        health: Some(Health {
            check: HealthCheck::Command {
                command: ["/bin/test", "-r", "/run/secrets/db"].map(ToOwned::to_owned).into(),
            },
            ..http_health()
        }),
        ..Runtime::default()
    };
    let words = ["/bin/sh", "-c", "echo told: $DB_PASSWORD; cat /run/secrets/db; exec sleep 1000"];
    let mut job = site.busybox("job", &words, runtime).await;
    let open = site.order(&[&job]);
    let (result, _) = run(&site.host, &site.data(), &open).await;
    assert_eq!(result.error.as_ref().map(|error| error.code), Some(TaskErrorCode::PullFailed), "{result:?}");

    job.image.authenticated = true;
    let order = site.order(&[&job]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert!(!log.contains(SECRET) && !log.contains(Registry::PASSWORD), "{log}");
    let name = site.running().remove(0);
    assert_eq!(site.cli(&["exec", &name, "/bin/cat", "/run/secrets/db"]), SECRET);
    let listed = site.cli(&["exec", &name, "/bin/ls", "-ln", "/run/secrets/db"]);
    assert!(listed.starts_with("-r--------") && listed.contains("4242"), "{listed}");

    // In the error of a failed task the secret is masked.
    let mut crash = job.clone();
    crash.runtime.command = Some(["/bin/sh", "-c", "echo told: $DB_PASSWORD; exit 7"].map(ToOwned::to_owned).into());
    let order = site.order(&[&crash]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    let error = result.error.unwrap();
    assert_eq!((result.outcome, error.exit_code), (TaskOutcome::RolledBack, Some(7)), "{error:?}\n{log}");
    assert_eq!(error.log_tail, ["told: ***"]);
    assert_eq!(site.running(), [name]);
}

async fn whats_not_ours_stays_and_what_may_be_is_taken_over(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let first = site.web("1.0.0", &[], site.runtime()).await;
    let reference = first.image.reference();
    for name in ["legacy", "bystander"] {
        site.cli(&["run", "--detach", "--name", name, "--label", "plimsoll.looks=ours", &reference]);
    }
    let second = site.web("2.0.0", &[], site.runtime()).await;
    let mut adopts = site.order(&[&second]);
    adopts.target.adopt = BTreeMap::from([("web".to_owned(), "nobody".to_owned())]);
    let (result, _) = run(&site.host, &site.data(), &adopts).await;
    assert_eq!(result.error.unwrap().code, TaskErrorCode::AdoptMissing);
    let mut adopts = site.order(&[&second]);
    adopts.target.adopt = BTreeMap::from([("web".to_owned(), "legacy".to_owned())]);
    let (result, log) = run(&site.host, &site.data(), &adopts).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(result.components[0].from_digest, Some(first.image.digest), "what the adopted one ran is known");
    let names = site.running();
    assert!(names.contains(&"bystander".to_owned()) && !names.contains(&"legacy".to_owned()), "{names:?}");

    // Another application of the same target, and another target of the same engine.
    let mut blog = site.order(&[&first]);
    blog.application = "blog".into();
    blog.spec.as_mut().unwrap().application = "blog".into();
    let (result, log) = run(&site.host, &site.data(), &blog).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let third = site.web("3.0.0", &[], site.runtime()).await;
    let order = site.order(&[&third]);
    let (result, _) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded);
    let names = site.running();
    assert_eq!(names.iter().filter(|name| name.starts_with("blog-web-")).count(), 1, "{names:?}");
    assert_eq!(site.host.list(plimsoll_core::context::Context::system().id()).await.unwrap(), []);

    // Old images of ours go; those of others, and those in use, stay.
    let mut last = second;
    for version in ["4.0.0", "5.0.0", "6.0.0"] {
        last = site.web(version, &[], site.runtime()).await;
        let mut order = site.order(&[&last]);
        order.hints.keep_releases = 2;
        let (result, log) = run(&site.host, &site.data(), &order).await;
        assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    }
    let images = site.cli(&["images", "--digests", "--no-trunc", "--format", "{{.Digest}}"]);
    assert!(images.contains(&last.image.digest.to_string()), "{images}");
    assert!(images.contains(&first.image.digest.to_string()), "others had it before us: {images}");
    assert!(!images.contains(&third.image.digest.to_string()), "{images}");
}

async fn networks_names_limits_and_checks(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let network = "plimsoll-front";
    let mut runtime = site.runtime();
    runtime.networks = vec![network.to_owned()];
    runtime.resources = Some(plimsoll_core::component::runtime::Resources {
        memory_bytes: Some(64 * 1024 * 1024),
        cpu_millis: Some(500),
        pids: Some(50),
    });
    let first = site.web("1.0.0", &[], runtime.clone()).await;
    let worker_runtime =
        Runtime { restart: Some(RestartPolicy::Always), stop_grace_seconds: Some(1), ..Runtime::default() };
    let worker = site.busybox("worker", &["/bin/sleep", "1000"], worker_runtime).await;
    let order = site.order(&[&first, &worker]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(result.components[1].health, HealthVerdict::None, "no check is declared");
    let limits =
        |name: &str| site.inspect(name, "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}}");
    let web_of = |names: Vec<String>| names.into_iter().find(|name| name.starts_with("shop-web-")).unwrap();
    let name = web_of(site.running());
    assert_eq!(limits(&name), "67108864 500000000 50");
    let aliases =
        |site: &Site, name: &str| site.inspect(name, "{{range .NetworkSettings.Networks}}{{.Aliases}}{{end}}");
    assert!(aliases(&site, &name).contains("web"), "{}", aliases(&site, &name));
    let made =
        site.cli(&["network", "inspect", network, "--format", &format!("{{{{index .Labels \"{}\"}}}}", label::TARGET)]);
    assert_eq!(made, target().id.to_string());

    // The new one takes the name; its published port answers still; the worker runs on untouched.
    let worker_name = site.running().into_iter().find(|name| name.starts_with("shop-worker-")).unwrap();
    let second = site.web("2.0.0", &[], runtime).await;
    let order = site.order(&[&second, &worker]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let name = web_of(site.running());
    assert!(aliases(&site, &name).contains("web"), "{}", aliases(&site, &name));
    assert_eq!(ask(&result.components[0].endpoints[0].address, "/").await.unwrap(), "2.0.0");
    assert!(site.running().contains(&worker_name), "it runs so already");

    // The engine's own verdict, where it has one.
    let healthy = Image::busybox().unwrap().command(&["/bin/sleep", "1000"]).health_check(&["/bin/true"]);
    let pushed = healthy.push(&site.registry, "judged", "1").await.unwrap();
    let judged_runtime = Runtime {
        health: Some(Health { check: HealthCheck::Docker, deadline_seconds: 60, ..http_health() }),
        stop_grace_seconds: Some(1),
        ..Runtime::default()
    };
    let judged = component("judged", &site.registry, "judged", &pushed, judged_runtime);
    let order = site.order(&[&judged]);
    let (result, log) = run(&site.host, &site.data(), &order).await;
    match engine {
        Engine::Docker => assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}"),
        // Without systemd Podman runs no HEALTHCHECK: an honest failure, and the old set stays.
        Engine::Podman => assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}"),
    }

    // An engine that is away is told; when it is back all is found again.
    let before = site.host.list(target().id).await.unwrap();
    site.engine.crash().unwrap();
    let order = site.order(&[&second]);
    let (result, _) = run(&site.host, &site.data(), &order).await;
    assert_eq!(result.error.unwrap().code, TaskErrorCode::EngineUnavailable);
    site.engine.start_again().unwrap();
    let after = site.host.list(target().id).await.unwrap();
    assert_eq!(before.len(), after.len());
    assert!(before.iter().any(|one| one.state == RunState::Running));
}
