//! Several components: the old set serves until the whole new one is healthy.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use plimsoll_core::component::{
    Runtime,
    runtime::{Health, HealthCheck},
};
use plimsoll_protocol::agent::report::{TaskErrorCode, TaskOutcome};
use plimsoll_testkit::Engine;

use super::{Site, client, on_both_engines};
use crate::site::{ask, http_health};

on_both_engines!(a_set_whose_last_one_fails_leaves_no_gap);

async fn a_set_whose_last_one_fails_leaves_no_gap(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let api = site.demo("api", "1.0.0", &[], site.runtime()).await;
    let web = site.web("1.0.0", &[], site.runtime()).await;
    let result = site.deploy(&[&api, &web]).await;
    let before = site.lives();
    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = result
        .components
        .iter()
        .map(|component| client(component.endpoints[0].address.clone(), Arc::clone(&stop)))
        .collect();
    let api = site.demo("api", "2.0.0", &[], site.runtime()).await;
    let web = site.web("2.0.0", &["--unhealthy"], site.runtime()).await;
    let (result, log) = site.attempt(&[&api, &web]).await;
    stop.store(true, Ordering::SeqCst);
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}");
    assert_eq!(result.error.unwrap().code, TaskErrorCode::Unhealthy);
    for asking in clients {
        let (asked, wrong) = asking.await.unwrap();
        assert!(asked > 10 && wrong.is_empty(), "{asked}: {wrong:?}");
    }
    assert_eq!((site.lives(), site.all()), (before, 2));
    for component in &result.components {
        assert_eq!(ask(&component.endpoints[0].address, "/").await.unwrap(), "1.0.0");
    }
}

/// Not on Podman: with the network backend that its tests have, names are not resolved.
#[tokio::test(flavor = "multi_thread")]
async fn docker_those_that_depend_on_others_meet_the_new_ones() {
    let mut site = Site::new(Engine::Docker);
    site.dir.ledger();
    for version in ["1.0.0", "2.0.0"] {
        let mut runtime = site.runtime();
        runtime.networks = vec!["plimsoll-inside".to_owned()];
        let api = site.demo("api", version, &[], runtime).await;
        // Healthy only when whoever answers to the name is of its own version, three times in a row.
        let asks = format!("for n in 1 2 3; do wget -qO- http://api:8080/ | grep -q {version} || exit 1; done");
        let command = ["/bin/sh", "-c", &asks].map(ToOwned::to_owned).to_vec();
        let runtime = Runtime {
            networks: vec!["plimsoll-inside".to_owned()],
            health: Some(Health {
                check: HealthCheck::Command { command },
                start_period_seconds: 0,
                retries: 2,
                healthy_for_seconds: 0,
                ..http_health()
            }),
            stop_grace_seconds: Some(1),
            ..Runtime::default()
        };
        let mut shell = site.busybox("shell", &["/bin/sleep", "1000"], runtime).await;
        shell.depends_on = vec![api.component_id];
        site.deploy(&[&api, &shell]).await;
    }
    assert_eq!(site.all(), 2);
}
