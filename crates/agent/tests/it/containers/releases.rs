//! A release comes, is replaced beside the old one, taken back, rolled back, removed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use plimsoll_agent::drivers::host::InstanceHost;
use plimsoll_core::{
    component::runtime::Health,
    deployment::{Remains, spec::label},
};
use plimsoll_protocol::agent::{
    order::OrderKind,
    report::{HealthVerdict, TaskErrorCode, TaskOutcome},
};
use plimsoll_testkit::{Engine, PATIENCE, eventually_async};

use super::{Site, answering, client, on_both_engines, word};
use crate::{
    site::{ask, http_health, run, run_until, starts},
    support::target,
};

on_both_engines!(
    a_release_comes_is_replaced_beside_the_old_one_and_a_bad_one_is_taken_back,
    one_that_answers_is_always_there,
    a_lower_epoch_changes_nothing,
);

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
    assert_eq!(result.components[0].downtime_ms, None, "nothing was stopped first");
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

    // Back to the first, with the registry away: its image is still there.
    site.registry.stop().unwrap();
    let mut back = site.order(&[&first]);
    back.kind = OrderKind::Rollback;
    let (result, log) = run(&site.host, &site.data(), &back).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let web = &result.components[0];
    assert_eq!((web.from_digest, web.running_digest), (Some(second.image.digest), Some(first.image.digest)));
    assert_eq!(ask(&web.endpoints[0].address, "/").await.unwrap(), "1.0.0");

    // What is not there can't be pulled now, and nothing changes.
    let mut gone = second.clone();
    gone.image.digest = plimsoll_core::Digest::of(b"never pushed");
    let (result, log) = site.attempt(&[&gone]).await;
    assert_eq!(result.outcome, TaskOutcome::Failed, "{log}");
    assert_eq!(result.error.unwrap().code, TaskErrorCode::PullFailed);
    assert!(log.contains("is tried again"), "{log}");
    assert_eq!(ask(&site.endpoint("web"), "/").await.unwrap(), "1.0.0");

    // And away with it.
    let mut down = site.order(&[]);
    (down.spec, down.sticker) = (None, None);
    let (result, log) = run(&site.host, &site.data(), &down).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(site.all(), 0);
}

async fn one_that_answers_is_always_there(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let slow = ["--start-delay-ms", "1500"];
    let first = site.web("1.0.0", &[], site.runtime()).await;
    site.deploy(&[&first]).await;
    let second = site.web("2.0.0", &slow, site.runtime()).await;
    let order = site.order(&[&second]);
    let data = site.data();
    let (result, log) = {
        let site = &site;
        let work = run(&site.host, &data, &order);
        tokio::pin!(work);
        let mut asked = 0;
        loop {
            tokio::select! {
                done = &mut work => {
                    assert!(asked > 5, "{asked}");
                    break done;
                }
                count = answering(site) => {
                    asked += 1;
                    // What runs may have changed between the two questions; not twice.
                    assert!(count > 0 || answering(site).await > 0, "nothing answered at question {asked}");
                }
            }
        }
    };
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(ask(&site.endpoint("web"), "/").await.unwrap(), "2.0.0");
}

async fn a_lower_epoch_changes_nothing(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let first = site.web("1.0.0", &[], site.runtime()).await;
    site.epoch = 40;
    site.deploy(&[&first]).await;
    // Even when the directory beside the stickers was lost: the containers say it.
    std::fs::remove_dir_all(site.dir.path().join("target")).unwrap();
    let before = site.lives();
    let second = site.web("2.0.0", &[], site.runtime()).await;
    site.epoch = 30;
    let (result, log) = site.attempt(&[&second]).await;
    assert_eq!(result.outcome, TaskOutcome::Unknown, "{log}");
    assert_eq!(result.error.unwrap().code, TaskErrorCode::StaleEpoch);
    assert_eq!((site.lives(), site.all()), (before, 1));

    // Without the record what runs is taken for what stands.
    site.epoch = 41;
    let result = site.deploy(&[&second]).await;
    assert_eq!(result.components[0].from_digest, Some(first.image.digest));
    assert_eq!((site.all(), ask(&site.endpoint("web"), "/").await.unwrap().as_str()), (1, "2.0.0"));
}
