//! The time after success: an engine may start a container again now and then, not too often.

use std::path::Path;

use plimsoll_core::component::{
    Runtime,
    runtime::{Health, HealthCheck},
};
use plimsoll_protocol::agent::report::{TaskErrorCode, TaskOutcome};
use plimsoll_testkit::{Engine, PATIENCE, eventually_async};

use super::{Site, on_both_engines};
use crate::site::{http_health, run};

on_both_engines!(one_restart_is_borne_and_many_are_not);

/// Lives until it is told to end: once, or at each of its starts.
const SCRIPT: &str = "echo start >>/data/ledger; while true; do if [ -f /data/once ]; then rm /data/once; exit 1; fi; \
                      if [ -f /data/always ]; then exit 1; fi; sleep 0.2; done";

async fn one_restart_is_borne_and_many_are_not(engine: Engine) {
    let mut site = Site::new(engine);
    let ledger = site.dir.ledger();
    let runtime = |site: &Site| Runtime {
        health: Some(Health {
            check: HealthCheck::Command { command: vec!["/bin/true".to_owned()] },
            start_period_seconds: 0,
            healthy_for_seconds: 0,
            ..http_health()
        }),
        ports: Vec::new(),
        ..site.runtime()
    };
    let job = site.busybox("job", &["/bin/sh", "-c", SCRIPT], runtime(&site)).await;
    let mut first = site.order(&[&job]);
    first.hints.watch_seconds = 3;
    let data = site.data();
    let told = |word: &'static str, task: String| {
        let data = data.clone();
        async move {
            let record = data.join("target/shop.record.json");
            let stands = || std::fs::read_to_string(&record).is_ok_and(|text| text.contains(&task));
            eventually_async("the set stands", PATIENCE, async || stands()).await.unwrap();
            std::fs::write(data.join(word), "").unwrap();
        }
    };
    let ((result, log), ()) = tokio::join!(run(&site.host, &data, &first), told("once", first.task_id.to_string()));
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(lines(&ledger), 2, "it was started again by its engine");

    let again = site.busybox("job", &["/bin/sh", "-c", &format!("{SCRIPT} ")], runtime(&site)).await;
    let mut second = site.order(&[&again]);
    second.hints.watch_seconds = 300;
    let ends = async {
        told("always", second.task_id.to_string()).await;
        // Two starts of the first, one of the second, four more by its engine, and two that the agent may have
        // missed before it first looked.
        eventually_async("it was started again and again", PATIENCE, async || lines(&ledger) >= 9).await.unwrap();
        std::fs::remove_file(data.join("always")).unwrap();
    };
    let ((result, log), ()) = tokio::join!(run(&site.host, &data, &second), ends);
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}");
    let error = result.error.unwrap();
    assert_eq!(error.code, TaskErrorCode::Unstable);
    assert!(error.message.contains("restarted"), "{error}");
    assert_eq!(site.all(), 1);
}

fn lines(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}
