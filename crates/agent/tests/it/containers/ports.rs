//! What only one container can hold: fixed ports, exclusive volumes.

use plimsoll_core::component::runtime::{Publish, Switch, Volume};
use plimsoll_protocol::agent::report::{TaskErrorCode, TaskOutcome};
use plimsoll_testkit::{Engine, free_port};

use super::{Site, on_both_engines};
use crate::site::{ask, run};

on_both_engines!(
    a_fixed_port_and_an_exclusive_volume_are_handed_over,
    what_can_not_be_made_leaves_no_gap,
    one_that_stays_keeps_its_fixed_port,
);

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
    assert_eq!(error.code, TaskErrorCode::StartFailed, "{error:?}");
    if engine == Engine::Docker {
        assert_eq!(error.exit_code, Some(3), "{error:?}");
    }
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

async fn what_can_not_be_made_leaves_no_gap(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let mut runtime = site.runtime();
    runtime.switch = Some(Switch::Recreate);
    let first = site.web("1.0.0", &[], runtime.clone()).await;
    site.deploy(&[&first]).await;
    let before = site.lives();
    let absent = site.dir.path().join("absent");
    runtime.volumes[0].source = absent.display().to_string();
    let second = site.web("2.0.0", &[], runtime).await;
    let (result, log) = site.attempt(&[&second]).await;
    if engine == Engine::Podman {
        // It makes the directory.
        assert_eq!(result.outcome, TaskOutcome::Succeeded, "{result:?}\n{log}");
        return assert!(absent.is_dir());
    }
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{result:?}\n{log}");
    assert_eq!(result.error.unwrap().code, TaskErrorCode::VolumeMissing);
    assert_eq!((site.lives(), site.all()), (before, 1), "the old one was never stopped");
}

async fn one_that_stays_keeps_its_fixed_port(engine: Engine) {
    let mut site = Site::new(engine);
    site.dir.ledger();
    let port = free_port().unwrap();
    let mut runtime = site.runtime();
    runtime.ports[0].publish = Publish::Fixed(port);
    let api = site.demo("api", "1.0.0", &[], runtime).await;
    let web = site.web("1.0.0", &[], site.runtime()).await;
    site.deploy(&[&api, &web]).await;
    let before = site.running_of("api");
    let web = site.web("2.0.0", &[], site.runtime()).await;
    let result = site.deploy(&[&api, &web]).await;
    assert_eq!(site.running_of("api"), before);
    assert_eq!(ask(&format!("{}:{port}", site.engine.address()), "/").await.unwrap(), "1.0.0");
    assert_eq!(ask(&result.components[1].endpoints[0].address, "/").await.unwrap(), "2.0.0");

    // Another component can't have that port meanwhile.
    let mut runtime = site.runtime();
    runtime.ports[0].publish = Publish::Fixed(port);
    let greedy = site.web("3.0.0", &[], runtime).await;
    let (result, log) = site.attempt(&[&api, &greedy]).await;
    assert_eq!(result.outcome, TaskOutcome::Failed, "{result:?}\n{log}");
    let error = result.error.unwrap();
    assert_eq!(error.code, TaskErrorCode::PortConflict);
    assert!(error.message.contains(&before), "{error}");
}
