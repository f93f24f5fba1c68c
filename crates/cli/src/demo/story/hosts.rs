//! The hosts: which kind of target they are, their agents, and how they are.

use std::{collections::BTreeMap, path::Path};

use anyhow::{Result, bail, ensure};
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::{ENVIRONMENTS, people::People};
use crate::demo::{
    api::{list, text},
    app,
    engine::Engine,
    host::{Host, keep_secret, open_folder},
    parts::{
        agent,
        registry::{Health, RegistryPart},
    },
    shell,
    stage::{Seen, Stage},
    targets::{Kind, LEDGER_MOUNT, Targets, sockets},
};

/// Hosts of each environment.
const HOSTS: usize = 2;

/// Containers if they are wanted and an engine shows that it can run them, else processes.
pub(super) async fn choose(stage: &Stage, wish: Targets, registry: &RegistryPart) -> Result<Kind> {
    open_folder(&stage.ledgers())?;
    let probed = match wish {
        Targets::Process => Err(vec!["--targets process was asked for".to_owned()]),
        Targets::Auto | Targets::Docker => probe(stage, registry).await?,
    };
    match (probed, wish) {
        (Ok(kind), _) => Ok(kind),
        (Err(why), Targets::Docker) => bail!("no container engine can be used: {}", why.join("; ")),
        (Err(why), Targets::Auto | Targets::Process) => {
            for one in why {
                stage.teller.saw(&format!("no containers: {one}"));
            }
            stage.teller.saw("processes on this machine, type process_host: they need no engine, and are not isolated");
            stage.teller.command("plimsoll demo --targets process");
            Ok(Kind::Processes)
        }
    }
}

/// The first engine that can run the demo, or why there is none.
async fn probe(stage: &Stage, registry: &RegistryPart) -> Result<Result<Kind, Vec<String>>> {
    let digest = registry.put("probe", "1", "probe", Health::Good).await?;
    let image = format!("{}/{}@{digest}", registry.address, app::repository("probe"));
    let mut why = Vec::new();
    for socket in sockets() {
        let socket = socket.display().to_string();
        stage.does(&format!("the engine at {socket} pulls and runs an image of the demo"));
        match Engine::probe(&socket, &image, &stage.ledgers()).await {
            Ok(engine) => {
                stage.teller.saw(&format!("containers of {engine} at {socket}, type docker_host"));
                let ledgers = shell::path(&stage.ledgers());
                stage.teller.command(&format!(
                    "docker --host unix://{} run --rm --volume {ledgers}:{LEDGER_MOUNT} {image} --crash",
                    shell::word(&socket)
                ));
                stage.use_engine(&socket, registry.address);
                return Ok(Ok(Kind::Containers { socket }));
            }
            Err(cause) => why.push(format!("the engine at {socket} cannot be used: {cause:#}")),
        }
    }
    if why.is_empty() {
        why.push("there is no container engine at the usual sockets".to_owned());
    }
    Ok(Err(why))
}

/// Enrols an agent for each host and makes it a target.
pub(super) async fn enrol(
    stage: &Stage,
    people: &People,
    environments: &BTreeMap<String, String>,
    kind: &Kind,
) -> Result<Vec<Host>> {
    stage.does("agents enrol");
    let names = ENVIRONMENTS.iter().flat_map(|name| (1..=HOSTS).map(move |number| (*name, format!("{name}-{number}"))));
    let hosts = try_join_all(names.map(async |(environment, name)| {
        let id = environments.get(environment).map(String::as_str).unwrap_or_default();
        host(stage, people, environment, id, &name, kind).await
    }));
    let (hosts, commands): (Vec<_>, Vec<_>) = hosts.await?.into_iter().unzip();
    for host in &hosts {
        let path = format!("/targets/{}/health-check", host.target);
        let report = people.admin.post(&path, &json!({})).await?;
        let status = text(&report, "status")?;
        // One that is short of disk, say, is degraded, and takes releases.
        ensure!(["healthy", "degraded"].contains(&status), "{} is {status}: {report}", host.name);
        let target = people.ada.get(&format!("/targets/{}", host.target)).await?;
        let agent = people.ada.get(&format!("/agents/{}", text(&target, "agentId")?)).await?;
        stage.teller.saw(&format!(
            "{}: {}, {}; agent {} is {}",
            text(&target, "name")?,
            text(&target, "type")?,
            list(&report["problems"])
                .iter()
                .filter_map(|one| one.as_str())
                .fold(status.to_owned(), |all, one| { format!("{all} ({one})") }),
            text(&agent, "name")?,
            text(&agent, "status")?
        ));
    }
    for (host, commands) in hosts.iter().zip(commands) {
        for command in commands {
            stage.teller.command(&command);
        }
        stage.teller.command_as("admin", &format!("api POST /api/v1/targets/{}/health-check", host.target));
    }
    stage.teller.command_as("ada", "target list -o wide");
    Ok(hosts)
}

/// Enrols one; gives it with the commands that do the same.
async fn host(
    stage: &Stage,
    people: &People,
    environment: &str,
    environment_id: &str,
    name: &str,
    kind: &Kind,
) -> Result<(Host, Vec<String>)> {
    let wish = json!({ "description": name });
    let token = people.admin.post("/registration-tokens", &wish).await?;
    let (agent_data, secret) =
        (stage.parts.folder().join("agents").join(name), stage.parts.folder().join(format!("{name}.token")));
    keep_secret(&secret, text(&token, "token")?)?;
    let agent = agent::enrol(&stage.parts, &people.server, name, &secret, &agent_data).await?;
    agent::start(&stage.parts, name, &agent_data)?;
    stage
        .until("agents come online", async || {
            let seen = people.admin.get(&format!("/agents/{agent}")).await?;
            let status = text(&seen, "status")?;
            Ok(if status == "online" { Seen::Done(()) } else { Seen::NotYet(format!("{name} is {status}")) })
        })
        .await?;
    let folder = stage.hosts().join(name);
    let body = json!({
        "environmentId": environment_id, "name": name, "type": kind.target_type(), "agentId": agent,
        "connection": kind.connection(&folder),
    });
    let made = people.admin.post("/targets", &body).await?;
    let target = text(&made, "id")?.to_owned();
    stage.made_target(&target);
    let ledger = stage.ledgers().join(name);
    let host = Host { name: name.to_owned(), environment: environment.to_owned(), target, agent_data, folder, ledger };
    let commands = commands(&people.server, &host, &secret, &wish, &body);
    Ok((host, commands))
}

/// How a host is enrolled and made a target.
fn commands(server: &str, host: &Host, secret: &Path, wish: &Value, target: &Value) -> Vec<String> {
    let (name, secret, data) = (&host.name, shell::path(secret), shell::path(&host.agent_data));
    let wish = shell::data(wish);
    vec![
        format!("plimsoll --context admin api POST /api/v1/registration-tokens {wish}      # the token: {secret}"),
        format!(
            "plimsoll agent enrol --server {server} --name {name} --token-file {secret} --data-dir {data}      # on the host"
        ),
        format!("plimsoll agent run --data-dir {data}      # on the host"),
        format!("plimsoll --context admin target create {}", shell::data(target)),
    ]
}
