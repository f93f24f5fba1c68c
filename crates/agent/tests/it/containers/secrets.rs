//! Secrets and the credentials of registries: there for the task, and nowhere afterwards.

use std::path::PathBuf;

use plimsoll_core::component::{
    Runtime,
    runtime::{Health, HealthCheck, SecretForm, SecretMount},
};
use plimsoll_protocol::agent::report::{TaskErrorCode, TaskOutcome};
use plimsoll_testkit::{Engine, Registry, RegistryAccess};

use super::{Site, on_both_engines};
use crate::site::{SECRET, http_health, run};

on_both_engines!(secrets_and_credentials_are_for_the_task_alone);

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
    assert!(log.contains("told: ***\n"), "what it said while it came up: {log}");
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
    assert_eq!(result.outcome, TaskOutcome::RolledBack, "{error:?}\n{log}");
    if engine == Engine::Docker {
        assert_eq!(error.exit_code, Some(7), "{error:?}");
    }
    assert!(!error.log_tail.is_empty() && error.log_tail.iter().all(|line| line == "told: ***"), "{error:?}");
    assert_eq!(site.running(), [name]);

    // The output of a health check, too.
    let mut sick = job.clone();
    sick.runtime.health = Some(Health {
        check: HealthCheck::Command {
            command: ["/bin/sh", "-c", "cat /run/secrets/db; exit 1"].map(ToOwned::to_owned).into(),
        },
        start_period_seconds: 0,
        ..http_health()
    });
    let (result, log) = site.attempt(&[&sick]).await;
    let error = result.error.unwrap();
    assert!(error.message.ends_with("ended with 1: ***"), "{error:?}");
    assert!(!log.contains(SECRET), "{log}");

    // Neither engine nor agent has kept the registry's password; the agent has not kept the secret.
    let engine_files = site.engine.socket().parent().unwrap().to_owned();
    let home = PathBuf::from(std::env::var("HOME").unwrap());
    let places = [engine_files, site.data(), home.join(".docker"), home.join(".config/containers")];
    assert_eq!(holding(&places, Registry::PASSWORD), Vec::<PathBuf>::new());
    assert_eq!(holding(&[site.data()], SECRET), Vec::<PathBuf>::new());
}

/// Files below some directories that hold a value as it is, or in base64 at any place of a longer text.
fn holding(places: &[PathBuf], value: &str) -> Vec<PathBuf> {
    use base64::{Engine as _, prelude::BASE64_STANDARD};

    let mut forms = vec![value.as_bytes().to_vec()];
    for shift in 0..3 {
        let text = BASE64_STANDARD.encode([&b"   "[..shift], value.as_bytes()].concat());
        forms.push(text.as_bytes()[4..text.len() - 4].to_vec());
    }
    let (mut folders, mut found) = (places.to_vec(), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let content = std::fs::read(entry.path()).unwrap_or_default();
                let holds = |form: &Vec<u8>| content.windows(form.len()).any(|part| part == form);
                if forms.iter().any(holds) {
                    found.push(entry.path());
                }
            }
        }
    }
    found
}
