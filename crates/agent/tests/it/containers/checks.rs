//! Networks, limits, health checks, and an engine that is away.

use plimsoll_agent::drivers::host::InstanceHost;
use plimsoll_core::{
    component::{
        Runtime,
        runtime::{Health, HealthCheck, Resources, RestartPolicy},
    },
    deployment::spec::label,
};
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{HealthVerdict, TaskErrorCode, TaskOutcome},
};
use plimsoll_testkit::{Engine, Image, PATIENCE, eventually_async};

use super::{Site, answering, on_both_engines};
use crate::{
    site::{ask, component, http_health, run, web_runtime},
    support::target,
};

on_both_engines!(
    networks_names_limits_and_checks,
    every_kind_of_check_is_asked,
    what_an_end_was_like_is_told,
    an_engine_that_ends_in_between_is_waited_for,
);

async fn networks_names_limits_and_checks(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let network = "plimsoll-front";
    let mut runtime = site.runtime();
    runtime.networks = vec![network.to_owned(), "plimsoll-back".to_owned()];
    runtime.resources = Some(Resources { memory_bytes: Some(64 * 1024 * 1024), cpu_millis: Some(500), pids: Some(50) });
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
    let aliases = |site: &Site, name: &str| {
        site.inspect(name, "{{range .NetworkSettings.Networks}}{{range .Aliases}}<{{.}}>{{end}}{{end}}")
    };
    assert_eq!(aliases(&site, &name).matches("<web>").count(), 2, "{}", aliases(&site, &name));
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
    assert_eq!(aliases(&site, &name).matches("<web>").count(), 2, "{}", aliases(&site, &name));
    assert_eq!(ask(&result.components[0].endpoints[0].address, "/").await.unwrap(), "2.0.0");
    assert!(site.running().contains(&worker_name), "it runs so already");

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

async fn every_kind_of_check_is_asked(engine: Engine) {
    let mut site = Site::new(engine);
    let with = |check: HealthCheck| Runtime {
        health: Some(Health { check, deadline_seconds: 60, ..http_health() }),
        stop_grace_seconds: Some(1),
        ..Runtime::default()
    };
    let listens = ["/bin/sh", "-c", "while true; do echo hello | nc -l -p 9000; done"];
    let mut runtime = with(HealthCheck::Tcp { port: 9000 });
    runtime.ports = web_runtime().ports;
    runtime.ports[0].container = 9000;
    let tcp = site.busybox("tcp", &listens, runtime).await;
    let command = ["/bin/test", "-d", "/bin"].map(ToOwned::to_owned).to_vec();
    let exec = site.busybox("exec", &["/bin/sleep", "1000"], with(HealthCheck::Command { command })).await;
    let none = site.busybox("none", &["/bin/sleep", "1000"], Runtime::default()).await;
    let result = site.deploy(&[&exec, &tcp, &none]).await;
    let verdicts: Vec<_> = result.components.iter().map(|component| component.health).collect();
    assert_eq!(verdicts, [HealthVerdict::Healthy, HealthVerdict::Healthy, HealthVerdict::None], "{result:?}");

    // The same check of one that fails it.
    let command = ["/bin/sh", "-c", "echo no bread; exit 4"].map(ToOwned::to_owned).to_vec();
    let mut sick = with(HealthCheck::Command { command });
    sick.health.as_mut().unwrap().start_period_seconds = 0;
    let sick = site.busybox("exec", &["/bin/sleep", "2000"], sick).await;
    let (result, log) = site.attempt(&[&sick]).await;
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}");
    assert!(result.error.unwrap().message.ends_with("ended with 4: no bread"), "{log}");
}

async fn what_an_end_was_like_is_told(engine: Engine) {
    let mut site = Site::new(engine);
    let runtime = Runtime {
        resources: Some(Resources { memory_bytes: Some(16 * 1024 * 1024), ..Resources::default() }),
        restart: Some(RestartPolicy::No),
        ..Runtime::default()
    };
    let greedy = site.busybox("greedy", &["/bin/sh", "-c", "echo eats; tail /dev/zero"], runtime).await;
    let (result, log) = site.attempt(&[&greedy]).await;
    let error = result.error.unwrap();
    assert_eq!((error.code, error.exit_code), (TaskErrorCode::StartFailed, Some(137)), "{error:?}\n{log}");
    // Podman 4 does not tell it on cgroups of version 1.
    assert!(error.oom_killed || engine == Engine::Podman, "{error:?}");
    assert_eq!((error.log_tail, site.all()), (vec!["eats".to_owned()], 0));

    // Of many lines the last ones.
    let runtime = Runtime { restart: Some(RestartPolicy::No), ..Runtime::default() };
    let talks = site.busybox("talks", &["/bin/sh", "-c", "seq 1 500; exit 9"], runtime).await;
    let (result, _) = site.attempt(&[&talks]).await;
    let error = result.error.unwrap();
    assert_eq!((error.exit_code, error.log_tail.len()), (Some(9), 200), "{error:?}");
    assert_eq!((error.log_tail[0].as_str(), error.log_tail[199].as_str()), ("301", "500"));

    // The engine's own verdict, where it has one.
    let judged = async |site: &Site, repository: &str, words: &[&str]| {
        let image = Image::busybox().unwrap().command(&["/bin/sleep", "1000"]).health_check(words);
        let pushed = image.push(&site.registry, repository, "1").await.unwrap();
        let runtime = Runtime {
            health: Some(Health { check: HealthCheck::Docker, deadline_seconds: 60, ..http_health() }),
            stop_grace_seconds: Some(1),
            ..Runtime::default()
        };
        component("judged", &site.registry, repository, &pushed, runtime)
    };
    let good = judged(&site, "good", &["/bin/true"]).await;
    let (result, log) = site.attempt(&[&good]).await;
    match engine {
        Engine::Docker => {
            assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
            let bad = judged(&site, "bad", &["/bin/sh", "-c", "echo no bread; exit 1"]).await;
            let (result, log) = site.attempt(&[&bad]).await;
            assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}");
            let error = result.error.unwrap();
            assert!(error.message.contains("no bread"), "{error}");
        }
        // Without systemd Podman runs no HEALTHCHECK: an honest failure, and the old set stays.
        Engine::Podman => assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}"),
    }
}

async fn an_engine_that_ends_in_between_is_waited_for(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let first = site.web("1.0.0", &[], site.runtime()).await;
    site.deploy(&[&first]).await;
    let mut runtime = site.runtime();
    runtime.health.as_mut().unwrap().healthy_for_seconds = 5;
    let second = site.web("2.0.0", &["--start-delay-ms", "1500"], runtime).await;
    let order = site.order(&[&second]);
    let (host, data) = (site.host.clone(), site.data());
    let work = tokio::spawn(async move { run(&host, &data, &order).await });
    eventually_async("the new one is waited for", PATIENCE, async || answering(&site).await == 2).await.unwrap();
    site.engine.crash().unwrap();
    site.engine.start_again().unwrap();
    let (result, log) = work.await.unwrap();
    let (outcome, serving) = match engine {
        // It ends what ran under the one before it, and starts again what has a restart policy.
        Engine::Docker => (TaskOutcome::RolledBack, "1.0.0"),
        Engine::Podman => (TaskOutcome::Succeeded, "2.0.0"),
    };
    assert_eq!(result.outcome, outcome, "{result:?}\n{log}");
    assert_eq!((site.all(), ask(&site.endpoint("web"), "/").await.unwrap().as_str()), (1, serving));
}
