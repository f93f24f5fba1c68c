//! What else runs on the host: not ours, another application's, another target's.

use std::collections::BTreeMap;

use plimsoll_agent::drivers::{
    Driver, docker::DockerHost, host::InstanceHost, instances::InstanceDriver, probe::Prober,
};
use plimsoll_core::context::Context;
use plimsoll_protocol::agent::{
    observe::RunState,
    report::{TaskErrorCode, TaskOutcome},
};
use plimsoll_testkit::Engine;

use super::{Site, connection, on_both_engines};
use crate::site::run;

on_both_engines!(whats_not_ours_stays_and_what_may_be_is_taken_over, an_image_that_another_target_keeps_stays,);

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
    let driver = InstanceDriver::new(site.host.clone(), Context::system());
    let seen = driver.observe(&adopts.target).await.running;
    let [legacy] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((legacy.name.as_str(), legacy.component.as_str(), legacy.task_id), ("legacy", "web", None));
    assert_eq!((legacy.state, legacy.made_by_digest), (RunState::Running, Some(first.image.digest)));
    let (result, log) = run(&site.host, &site.data(), &adopts).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert_eq!(result.components[0].from_digest, Some(first.image.digest), "what the adopted one ran is known");
    let names = site.running();
    assert!(names.contains(&"bystander".to_owned()) && !names.contains(&"legacy".to_owned()), "{names:?}");
    let seen = driver.observe(&adopts.target).await.running;
    assert!(seen.len() == 1 && seen[0].application == "shop", "it is ours from now on: {seen:?}");

    // Another application of the same target, and another target of the same engine.
    let mut blog = site.order(&[&first]);
    blog.application = "blog".into();
    blog.spec.as_mut().unwrap().application = "blog".into();
    let (result, log) = run(&site.host, &site.data(), &blog).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    let others = |site: &Site| {
        let mut lives = site.lives();
        lives.retain(|(name, _)| !name.starts_with("shop-"));
        lives
    };
    let before = others(&site);
    assert_eq!(before.len(), 2, "{before:?}");
    let third = site.web("3.0.0", &[], site.runtime()).await;
    site.deploy(&[&third]).await;
    let bad = site.web("3.1.0", &["--crash"], site.runtime()).await;
    let (result, log) = site.attempt(&[&bad]).await;
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{log}");
    assert_eq!(others(&site), before, "neither a release nor a rollback touched them");
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
    assert_eq!(others(&site), before);
    let images = site.cli(&["images", "--digests", "--no-trunc", "--format", "{{.Digest}}"]);
    assert!(images.contains(&last.image.digest.to_string()), "{images}");
    assert!(images.contains(&first.image.digest.to_string()), "others had it before us: {images}");
    assert!(!images.contains(&third.image.digest.to_string()), "{images}");
}

async fn an_image_that_another_target_keeps_stays(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let other = DockerHost::new(site.data().join("other"), connection(&site.engine), Prober::new().unwrap());
    let other_id = Context::system().id();
    let images = |site: &Site| site.cli(&["images", "--digests", "--no-trunc", "--format", "{{.Digest}}"]);
    let mut versions = Vec::new();
    for version in ["1.0.0", "2.0.0", "3.0.0"] {
        versions.push(site.web(version, &[], site.runtime()).await);
    }
    // Both targets bring the first two: the engine pulls each once, for the target that came first.
    for web in &versions[..2] {
        for there in [false, true] {
            let mut order = site.order(&[web]);
            let mut host = site.host.clone();
            if there {
                order.target.id = other_id;
                order.spec.as_mut().unwrap().target_id = other_id;
                host = other.clone();
            }
            let (result, log) = run(&host, &site.data(), &order).await;
            assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
        }
    }
    // The first one goes on and keeps one release only; the other still has the first version to go back to.
    let mut last = site.order(&[&versions[2]]);
    last.hints.keep_releases = 1;
    let (result, log) = run(&site.host, &site.data(), &last).await;
    assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    assert!(images(&site).contains(&versions[0].image.digest.to_string()), "{}\n{log}", images(&site));
    // When the other one needs it no more, whoever pulled it removes it.
    for (host, id) in [(other, other_id), (site.host.clone(), last.target.id)] {
        let mut order = site.order(&[&versions[2]]);
        order.target.id = id;
        order.spec.as_mut().unwrap().target_id = id;
        order.hints.keep_releases = 1;
        let (result, log) = run(&host, &site.data(), &order).await;
        assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
    }
    assert!(!images(&site).contains(&versions[0].image.digest.to_string()), "{}", images(&site));
}
