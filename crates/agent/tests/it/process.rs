//! `process_host` with real processes: deployed from a real registry, found again, supervised, taken back.

use std::{
    fs,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use plimsoll_agent::{
    drivers::{
        host::InstanceHost,
        probe::Prober,
        process::{ProcessHost, ProcessSettings},
    },
    supervise::{Phase, Workdir},
};
use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Publish, SecretForm, SecretMount, Switch},
    },
    deployment::{Remains, spec::ComponentSpec},
};
use plimsoll_protocol::agent::{
    host::ProcessConnection,
    observe::RunState,
    order::TaskOrder,
    report::{HealthVerdict, TaskErrorCode, TaskOutcome},
};
use plimsoll_testkit::{Image, PATIENCE, Registry, eventually, free_port};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    site::{OpenDir, SECRET, ask, component, demo_image, run, starts, web_runtime},
    support::{fresh_task, order, spec, target},
};

struct Site {
    dir: OpenDir,
    registry: Registry,
    host: ProcessHost,
}

impl Site {
    fn new() -> Self {
        let dir = OpenDir::new();
        let host = host(&dir.path());
        Self { registry: Registry::start().unwrap(), host, dir }
    }

    async fn web(&self, version: &str, more: &[&str], runtime: Runtime) -> ComponentSpec {
        let image = demo_image(version, more);
        let pushed = image.push(&self.registry, "web", version).await.unwrap();
        component("web", &self.registry, "web", &pushed, runtime)
    }

    fn runtime(&self) -> Runtime {
        let ledger = self.dir.path().join("ledger").display().to_string();
        Runtime { environment: [("LEDGER".to_owned(), ledger)].into(), ..web_runtime() }
    }

    fn workdir(&self, name: &str) -> Workdir {
        Workdir(self.dir.path().join("target/processes").join(name))
    }

    async fn only(&self) -> plimsoll_agent::drivers::host::Instance {
        let all = self.host.list(target().id).await.unwrap();
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let processes = fs::read_dir(self.dir.path().join("target/processes")).into_iter().flatten();
        for state in processes.filter_map(|entry| Workdir(entry.ok()?.path()).state().ok()?) {
            let process = match &state.phase {
                Phase::Running { process, .. } => Some(process.pid),
                Phase::Starting | Phase::Waiting { .. } | Phase::Ended { .. } => None,
            };
            if state.supervisor.is_alive() {
                kill(state.supervisor.pid);
            }
            process.into_iter().for_each(kill);
        }
    }
}

fn to_run(epoch: u64, web: &ComponentSpec) -> TaskOrder {
    order(fresh_task(), epoch, Some(spec(epoch as u8, vec![web.clone()])))
}

fn host(dir: &Path) -> ProcessHost {
    let settings =
        ProcessSettings { supervisor: vec![env!("CARGO_BIN_EXE_plimsoll-agent").to_owned()], user: (65534, 65534) };
    ProcessHost::new(dir.join("target"), ProcessConnection::default(), settings, Prober::new().unwrap())
}

fn kill(pid: i32) {
    _ = kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_is_replaced_and_a_bad_one_is_taken_back() {
    let site = Site::new();
    let ledger = site.dir.ledger();
    let data = site.dir.path();
    let first = site.web("1.0.0", &[], site.runtime()).await;
    let order_1 = to_run(1, &first);
    let (result, log) = run(&site.host, &data, &order_1).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let web = &result.components[0];
    assert_eq!((web.running_digest, web.health), (Some(first.image.digest), HealthVerdict::Healthy));
    assert_eq!(ask(&web.endpoints[0].address, "/").await.unwrap(), "1.0.0");
    let pid = starts(&ledger)[0].1;
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    assert!(status.contains("Uid:\t65534\t65534") && status.contains("Gid:\t65534\t65534"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1") && status.contains("Groups:\t \n"), "{status}");

    let second = site.web("2.0.0", &[], site.runtime()).await;
    let (result, log) = run(&site.host, &data, &to_run(2, &second)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let good = result.components[0].endpoints[0].address.clone();
    assert_eq!(result.components[0].from_digest, Some(first.image.digest));
    assert_eq!(ask(&good, "/").await.unwrap(), "2.0.0");
    assert_eq!(site.only().await.state, RunState::Running);
    assert!(!Path::new(&format!("/proc/{pid}")).exists(), "the old one is gone");

    let bad = site.web("3.0.0", &["--unhealthy"], site.runtime()).await;
    let (result, log) = run(&site.host, &data, &to_run(3, &bad)).await;
    assert_eq!((result.outcome, result.remains), (TaskOutcome::RolledBack, Some(Remains::Restored)), "{log}");
    let error = result.error.unwrap();
    assert_eq!(error.code, TaskErrorCode::Unhealthy);
    assert!(
        error.message.contains("500") && error.log_tail.iter().any(|line| line.contains("3.0.0 listens")),
        "{error:?}"
    );
    assert_eq!(result.components[0].running_digest, Some(second.image.digest));
    assert_eq!(ask(&good, "/").await.unwrap(), "2.0.0", "the old one kept its port");
    let digests: Vec<String> = starts(&ledger).into_iter().map(|(digest, _)| digest).collect();
    let expected = [&first, &second, &bad].map(|component| component.image.digest.to_string());
    assert_eq!(digests, expected, "each was started once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fixed_port_is_handed_over_with_a_gap_and_back_when_the_new_one_fails() {
    let site = Site::new();
    let ledger = site.dir.ledger();
    let port = free_port().unwrap();
    let mut runtime = site.runtime();
    runtime.ports[0].publish = Publish::Fixed(port);
    let address = format!("127.0.0.1:{port}");
    let data = site.dir.path();
    let first = site.web("1.0.0", &[], runtime.clone()).await;
    let (result, log) = run(&site.host, &data, &to_run(1, &first)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(result.components[0].downtime_ms, None, "nothing ran before");

    let second = site.web("2.0.0", &[], runtime.clone()).await;
    let (result, log) = run(&site.host, &data, &to_run(2, &second)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert!(result.components[0].downtime_ms.is_some());
    assert_eq!(ask(&address, "/").await.unwrap(), "2.0.0");

    let crash = site.web("3.0.0", &["--crash"], runtime.clone()).await;
    let (result, log) = run(&site.host, &data, &to_run(3, &crash)).await;
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{log}");
    let error = result.error.unwrap();
    assert_eq!((error.code, error.exit_code), (TaskErrorCode::StartFailed, Some(3)), "{error:?}");
    assert!(result.components[0].downtime_ms.is_some(), "the gap until the old one answered again");
    assert!(log.contains("requests fail in between"), "{log}");
    assert_eq!(ask(&address, "/").await.unwrap(), "2.0.0");
    assert_eq!(starts(&ledger).len(), 4, "the second version was started again");

    let mut beside = runtime;
    beside.switch = Some(Switch::StartFirst);
    let refused = site.web("4.0.0", &[], beside).await;
    let (result, _) = run(&site.host, &data, &to_run(4, &refused)).await;
    assert_eq!(result.outcome, TaskOutcome::Failed);
    assert_eq!(result.error.unwrap().code, TaskErrorCode::StartFirstNeedsFreePort);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_outlives_the_agent_and_is_kept_up() {
    let site = Site::new();
    let ledger = site.dir.ledger();
    let web = site.web("1.0.0", &[], site.runtime()).await;
    let (result, log) = run(&site.host, &site.dir.path(), &to_run(1, &web)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let address = result.components[0].endpoints[0].address.clone();
    let name = site.only().await.name;

    // Its supervisor starts it again.
    kill(starts(&ledger)[0].1);
    eventually("it was started again", PATIENCE, || starts(&ledger).len() == 2).unwrap();
    let runs = || find(&site, &name) == RunState::Running;
    eventually("its supervisor has written that down", PATIENCE, runs).unwrap();
    let again = site.only().await;
    assert_eq!((again.state, again.restarts), (RunState::Running, 1));

    // Another agent finds it by its files; the supervisor's death does not end it.
    let state = site.workdir(&name).state().unwrap().unwrap();
    kill(state.supervisor.pid);
    eventually("the supervisor is gone", PATIENCE, || !state.supervisor.is_alive()).unwrap();
    let after = host(&site.dir.path());
    assert_eq!(after.inspect(&name).await.unwrap().unwrap().state, RunState::Running);
    after.tend().await;
    assert_eq!(starts(&ledger).len(), 2, "what runs is left alone");

    // As after a boot of the host: neither lives, and both come back without the server.
    kill(starts(&ledger)[1].1);
    eventually("it ended", PATIENCE, || find(&site, &name) != RunState::Running).unwrap();
    after.tend().await;
    assert_eq!(starts(&ledger).len(), 3);
    plimsoll_testkit::eventually_async("it answers", PATIENCE, async || ask(&address, "/").await).await.unwrap();

    // One that was stopped stays so.
    after.stop(&name, Duration::from_secs(1)).await.unwrap();
    after.tend().await;
    assert_eq!(after.inspect(&name).await.unwrap().unwrap().state, RunState::Exited);
    after.remove(&name).await.unwrap();
    assert_eq!(after.inspect(&name).await.unwrap(), None);
}

fn find(site: &Site, name: &str) -> RunState {
    match site.workdir(name).state().unwrap().unwrap().phase {
        Phase::Running { process, .. } if process.is_alive() => RunState::Running,
        _ => RunState::Exited,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_the_process_and_nowhere_on_disk() {
    let site = Site::new();
    let ledger = site.dir.ledger();
    let mut runtime = site.runtime();
    runtime.secrets =
        vec![SecretMount { name: "db".into(), form: SecretForm::Env, target: Some("DB_PASSWORD".into()) }];
    let web = site.web("1.0.0", &[], runtime).await;
    let (result, log) = run(&site.host, &site.dir.path(), &to_run(1, &web)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let environment = fs::read_to_string(format!("/proc/{}/environ", starts(&ledger)[0].1)).unwrap();
    assert!(environment.contains(&format!("DB_PASSWORD={SECRET}")));
    assert!(!environment.contains("CARGO"), "the environment is clean: {environment}");
    assert!(!log.contains(SECRET));
    let mut folders = vec![site.dir.path()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if let Ok(content) = fs::read(&entry) {
                assert!(!content.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "{}", entry.display());
            }
        }
    }
}

/// A mirror that asks everybody to sign in, and remembers what it is told.
async fn mirror() -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let told: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let log = Arc::clone(&told);
    let challenge = move |request: axum::extract::Request| {
        let header = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        log.lock().unwrap().push(header);
        async { (axum::http::StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"mirror\"")]) }
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(challenge)).await });
    (host, told)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_told_credentials_only_if_the_order_says_so() {
    let site = Site::new();
    let (host, told) = mirror().await;
    let mut web = site.web("1.0.0", &[], web_runtime()).await;
    web.image.registry = host;
    for (epoch, authenticated) in [(1, false), (2, true)] {
        web.image.authenticated = authenticated;
        let (result, log) = run(&site.host, &site.dir.path(), &to_run(epoch, &web)).await;
        assert_eq!(result.error.map(|error| error.code), Some(TaskErrorCode::PullFailed), "{log}");
        let heard = std::mem::take(&mut *told.lock().unwrap());
        assert!(!heard.is_empty());
        assert_eq!(heard.iter().any(Option::is_some), authenticated, "{heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_what_comes_up_is_in_the_log_and_a_secret_in_two_pieces_is_not() {
    let site = Site::new();
    let half = SECRET.len() / 2;
    let (one, two) = SECRET.split_at(half);
    let script = format!(
        "printf 'the key is %s' \"${{KEY%{two}}}\"; sleep 1; echo \"${{KEY#{one}}}, and that is all\"; \
         echo trouble >&2; exec sleep 1000"
    );
    let image = Image::of_binary(Path::new("/bin/busybox")).unwrap().command(&["sh", "-c", &script]);
    let pushed = image.push(&site.registry, "talker", "1").await.unwrap();
    let health = plimsoll_core::component::runtime::Health {
        check: plimsoll_core::component::runtime::HealthCheck::Command {
            command: ["/bin/busybox", "true"].map(ToOwned::to_owned).into(),
        },
        // Long enough for both pieces, which the agent reads apart.
        healthy_for_seconds: 3,
        ..crate::site::http_health()
    };
    let runtime = Runtime {
        secrets: vec![SecretMount { name: "key".into(), form: SecretForm::Env, target: Some("KEY".into()) }],
        health: Some(health),
        ..Runtime::default()
    };
    let talker = component("talker", &site.registry, "talker", &pushed, runtime);
    let (result, log) = run(&site.host, &site.dir.path(), &to_run(1, &talker)).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert!(log.contains("the key is ***, and that is all\n") && log.contains("trouble\n"), "{log}");
    assert!(!log.contains(one) && !log.contains(two), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_run_is_refused_before_anything_changes() {
    let site = Site::new();
    let data = site.dir.path();
    let dynamic = Image::of_binary(Path::new("/bin/ls")).unwrap();
    let script = Image::empty().file("run", b"#!/bin/sh\n", 0o755).entrypoint(&["/run"]);
    let outside = Image::empty().link("run", "/bin/true").entrypoint(&["/run"]);
    let cases = [
        (dynamic, TaskErrorCode::EntrypointNotStatic),
        (script, TaskErrorCode::EntrypointNotStatic),
        (outside, TaskErrorCode::ImageRefused),
        (Image::empty().entrypoint(&["/absent"]), TaskErrorCode::ImageRefused),
    ];
    for (number, (image, code)) in (1..).zip(cases) {
        let pushed = image.push(&site.registry, "odd", &format!("v{number}")).await.unwrap();
        let odd = component("web", &site.registry, "odd", &pushed, web_runtime());
        let (result, log) = run(&site.host, &data, &to_run(number, &odd)).await;
        assert_eq!(result.outcome, TaskOutcome::Failed, "{log}");
        assert_eq!(result.error.as_ref().map(|error| error.code), Some(code), "{result:?}");
        assert_eq!(result.remains, Some(Remains::Restored));
    }
    let mut other = site.web("1.0.0", &[], web_runtime()).await;
    other.expected.config = other.expected.manifest;
    let (result, _) = run(&site.host, &data, &to_run(10, &other)).await;
    assert_eq!(result.error.unwrap().code, TaskErrorCode::ImageMismatch);
    let mut gone = site.web("1.0.0", &[], web_runtime()).await;
    gone.image.digest = plimsoll_core::Digest::of(b"never pushed");
    gone.expected.config = gone.image.digest;
    let (result, _) = run(&site.host, &data, &to_run(11, &gone)).await;
    assert_eq!(result.error.unwrap().code, TaskErrorCode::PullFailed);
    let web = site.web("1.0.0", &[], web_runtime()).await;
    let mut forbidden = to_run(12, &web);
    forbidden.hints.allow_process_host = false;
    let (result, _) = run(&site.host, &data, &forbidden).await;
    assert_eq!(result.error.unwrap().code, TaskErrorCode::DriverUnavailable);
    assert_eq!(site.host.list(target().id).await.unwrap(), []);
}
