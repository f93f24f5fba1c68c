//! A release that never becomes healthy, while somebody uses the one before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::{task::JoinHandle, time::sleep};

use super::{
    Carried, World,
    promotion::{becomes, request, tell_request},
    release,
};
use crate::demo::{
    api::{list, text},
    host::ask,
    stage::Stage,
};

/// Between two calls of one address.
const PAUSE: Duration = Duration::from_millis(100);

/// Clients that ask each address again and again.
struct Clients {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU32>,
    running: Vec<JoinHandle<Vec<String>>>,
}

impl Clients {
    /// They expect `version` everywhere.
    fn start(http: &reqwest::Client, addresses: &[String], version: &str) -> Self {
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let client = |address: &String| {
            let (http, stop, answered) = (http.clone(), Arc::clone(&stop), Arc::clone(&answered));
            let (address, version) = (address.clone(), version.to_owned());
            tokio::spawn(async move {
                let mut wrong = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    match ask(&http, &address).await {
                        Ok(shown) if shown == version => drop(answered.fetch_add(1, Ordering::Relaxed)),
                        Ok(shown) => wrong.push(format!("{address} showed {shown}")),
                        Err(cause) => wrong.push(format!("{address}: {cause:#}")),
                    }
                    sleep(PAUSE).await;
                }
                wrong
            })
        };
        let running = addresses.iter().map(client).collect();
        Self { stop, answered, running }
    }

    /// How many calls were answered, and what went wrong.
    async fn end(self) -> Result<(u32, Vec<String>)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut wrong = Vec::new();
        for one in self.running {
            wrong.extend(one.await.context("a client broke down")?);
        }
        Ok((self.answered.load(Ordering::Relaxed), wrong))
    }
}

/// The release fails on the first host of dev; the second is never touched.
pub(super) async fn is_taken_back(stage: &Stage, world: &World) -> Result<Carried> {
    let ada = &world.people.ada;
    let before = "1.1.0";
    let mut addresses = Vec::new();
    for host in world.hosts_of("dev") {
        let target = ada.get(&format!("/targets/{}", host.target)).await?;
        addresses
            .extend(list(&target["endpoints"]).iter().filter_map(|one| one["address"].as_str().map(str::to_owned)));
    }
    ensure!(!addresses.is_empty(), "the targets of dev have no endpoints");
    let release = release::sealed(world, "1.2.0").await?;
    let clients = Clients::start(&stage.http, &addresses, before);
    let asked = request(world, &release, "dev").await?;
    let promotion = text(&asked, "id")?;
    let ended = becomes(stage, ada, promotion, &["rolled_back", "failed"]).await;
    let (answered, wrong) = clients.end().await?;
    let ended = ended?;
    let job = text(&ended, "deploymentJobId")?.to_owned();
    let seen = ada.get(&format!("/deployment-jobs/{job}")).await?;
    ensure!(seen["status"] == "rolled_back", "the job is {}", seen["status"]);
    stage.teller.saw(&format!("{} in dev: the promotion is {}", release.name(), text(&ended, "status")?));
    stage.teller.saw(&format!("the job is {}: {}", text(&seen, "status")?, text(&seen["failure"], "message")?));
    let tasks = ada.get(&format!("/deployment-jobs/{job}/tasks?pageSize=100")).await?;
    for task in list(&tasks) {
        stage.teller.saw(&format!("{}: {}{}", text(task, "targetName")?, text(task, "status")?, reason(task)));
    }
    ensure!(wrong.is_empty(), "clients saw that dev was away: {}", wrong.join("; "));
    ensure!(answered > 0, "no client asked anything");
    stage.teller.saw(&format!(
        "{answered} calls at {} addresses of dev during all that: each was answered by {before}",
        addresses.len()
    ));
    release::tell_sealing(stage, &release);
    tell_request(stage, &release, "dev");
    stage.teller.command_as("ada", &format!("job tasks {job}"));
    stage.teller.command_as("ada", &format!("logs {job}"));
    Ok(Carried { promotion: Some(promotion.to_owned()), job })
}

fn reason(task: &Value) -> String {
    task["error"]["message"].as_str().map_or(String::new(), |why| format!(" ({why})"))
}
