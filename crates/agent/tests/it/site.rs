//! A target with a real host, on which orders are run to their end.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use plimsoll_agent::{
    drivers::{host::InstanceHost, instances::InstanceDriver},
    fence::Fence,
    lease::Lease,
    masking::Masker,
    session::outbox::Outbox,
    task::{
        entry::{Entry, StopReason},
        journal::{Journal, Journals},
        logger::TaskLogger,
        machine::Machine,
        runner::Runner,
        secrets::{SecretDesk, Secrets},
    },
};
use plimsoll_core::{
    component::Runtime,
    component::runtime::{Health, HealthCheck, Port, Protocol, Publish, PublishWord},
    context::Context,
    deployment::spec::{ComponentSpec, DigestChain, ImageSource},
};
use plimsoll_protocol::agent::{
    AgentFrame,
    order::TaskOrder,
    report::TaskResult,
    secret::{SecretAnswer, SecretRef, SecretValue},
};
use plimsoll_testkit::{Image, Registry, image::Pushed};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::support;

/// What a server would answer to every request for a secret.
pub const SECRET: &str = "correct-horse-battery";

/// Runs an order as the agent does, with a journal on disk; gives the result and the task's log.
pub async fn run<H: InstanceHost + Clone>(host: &H, data: &Path, order: &TaskOrder) -> (TaskResult, String) {
    run_until(host, data, order, std::future::pending()).await
}

/// The same, cancelled when `cancel` comes true.
pub async fn run_until<H: InstanceHost + Clone>(
    host: &H,
    data: &Path,
    order: &TaskOrder,
    cancel: impl Future<Output = ()>,
) -> (TaskResult, String) {
    let context = Context::system();
    let journals = Journals::open(data).unwrap();
    let (mut journal, mut entries) = journals.load(order.task_id).await.unwrap();
    if entries.is_empty() {
        let offered = Entry::Offered { offer: support::offer(order), at: context.now() };
        journal.append(&offered).await.unwrap();
        entries.push(offered);
    }
    let lease = Lease::awaited(Duration::from_secs(1));
    lease.granted(Instant::now(), Duration::from_hours(1));
    let (outbox, desk, masker) = (Outbox::default(), SecretDesk::default(), Masker::default());
    let (stop, stopped) = watch::channel(None::<StopReason>);
    let mut runner = Runner {
        driver: InstanceDriver::new(host.clone(), context.clone()),
        journal,
        machine: Machine::replay(entries).unwrap(),
        fence: Fence::open(host.directory()).unwrap(),
        lease,
        log: TaskLogger::new(order.task_id, order.epoch, context.clone(), outbox.clone(), masker.clone()),
        secrets: Secrets::new(order.task_id, order.epoch, desk.clone(), outbox.clone(), masker),
        context,
        stop: stopped,
        offers: mpsc::channel(1).1,
    };
    let mut text = String::new();
    let work = runner.run();
    tokio::pin!(work, cancel);
    let mut cancelled = false;
    let result = loop {
        tokio::select! {
            result = &mut work => break result.unwrap(),
            () = &mut cancel, if !cancelled => {
                cancelled = true;
                stop.send(Some(StopReason::Cancelled)).unwrap();
            }
            waiting = outbox.next() => {
                serve(&desk, &waiting.frame, &mut text);
                outbox.sent(&waiting);
            }
        }
    };
    while let Ok(waiting) = tokio::time::timeout(Duration::from_millis(1), outbox.next()).await {
        serve(&desk, &waiting.frame, &mut text);
        outbox.sent(&waiting);
    }
    (result, text)
}

fn serve(desk: &SecretDesk, frame: &AgentFrame, text: &mut String) {
    match frame {
        AgentFrame::Log(log) => log.lines.iter().for_each(|line| *text += &format!("{}\n", line.text)),
        AgentFrame::SecretRequest(request) => desk.deliver(SecretValue {
            request_id: request.request_id,
            task_id: request.task_id,
            epoch: request.epoch,
            values: request.secrets.iter().map(answer).collect(),
        }),
        _ => {}
    }
}

/// What a server answers to a request for one secret.
pub fn answer(wanted: &SecretRef) -> SecretAnswer {
    match wanted {
        SecretRef::Environment { .. } => SecretAnswer::Text { value: SECRET.to_owned() },
        SecretRef::Registry { .. } => {
            SecretAnswer::Basic { username: Registry::USER.to_owned(), password: Registry::PASSWORD.to_owned() }
        }
    }
}

/// The demo application's image in one version.
pub fn demo_image(version: &str, more: &[&str]) -> Image {
    let binary = plimsoll_demo_app::build_static().unwrap();
    let mut words = vec!["--version", version];
    words.extend(more);
    Image::of_binary(&binary).unwrap().command(&words).config("StopSignal", serde_json::json!("SIGKILL")).exposes(8080)
}

/// A component that runs what was pushed.
pub fn component(
    name: &str,
    registry: &Registry,
    repository: &str,
    pushed: &Pushed,
    runtime: Runtime,
) -> ComponentSpec {
    let platform = &pushed.platforms[0];
    let made = support::component(name, 1, runtime);
    ComponentSpec {
        image: ImageSource {
            registry: registry.host(),
            insecure: true,
            repository: repository.to_owned(),
            digest: pushed.digest,
            ..made.image
        },
        expected: DigestChain { index: pushed.digest, manifest: platform.manifest, config: platform.config },
        ..made
    }
}

/// An `auto` port with a quick HTTP health check.
pub fn web_runtime() -> Runtime {
    Runtime {
        ports: vec![Port {
            container: 8080,
            publish: Publish::Word(PublishWord::Auto),
            bind: None,
            protocol: Protocol::Tcp,
        }],
        health: Some(http_health()),
        stop_grace_seconds: Some(1),
        ..Runtime::default()
    }
}

pub fn http_health() -> Health {
    Health {
        check: HealthCheck::Http { port: 8080, path: "/health".to_owned() },
        start_period_seconds: 3,
        interval_seconds: 1,
        timeout_seconds: 2,
        retries: 3,
        healthy_for_seconds: 1,
        deadline_seconds: 20,
    }
}

/// What answers at an endpoint.
pub async fn ask(address: &str, path: &str) -> Result<String, String> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build().unwrap();
    let answer = client.get(format!("http://{address}{path}")).send().await.map_err(|cause| format!("{cause:?}"))?;
    let text = answer.text().await.map_err(|cause| cause.to_string())?;
    Ok(text.trim().to_owned())
}

/// A temporary directory that every user may pass through.
pub struct OpenDir(tempfile::TempDir);

impl OpenDir {
    pub fn new() -> Self {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// A file that every process may append to.
    pub fn ledger(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;

        let path = self.0.path().join("ledger");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
        path
    }
}

/// Starts in the ledger, as (digest, pid).
pub fn starts(ledger: &Path) -> Vec<(String, i32)> {
    let text = std::fs::read_to_string(ledger).unwrap();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!((words.len(), words[0]), (4, "start"), "{line}");
            (words[1].to_owned(), words[3].parse().unwrap())
        })
        .collect()
}
