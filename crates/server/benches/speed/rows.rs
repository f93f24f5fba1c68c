//! The rows of the table of speed.

use std::{path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result};
use plimsoll_testkit::Postgres;

use crate::{
    bare::{self, Kind},
    load::{Connection, get, post},
    process::Running,
    report::{Reached, Report, median, say},
    rounds::{Contender, Figures, Plan, Request, compare},
    world::{TENANTS, Token, World},
};

/// Connections that read.
const READERS: usize = 64;
/// Connections that write.
const WRITERS: usize = 32;

/// `GET /releases/{id}` against a handler that answers a constant.
pub async fn read(place: &Path, sqlite: &World, postgres: &World, plan: &Plan, report: &mut Report) -> Result<()> {
    say("\nGET /releases/{id}, 1 000 tokens in rotation, 64 connections")?;
    let mut servers = Vec::new();
    for world in [sqlite, postgres] {
        servers.push((world, world.serve(&[]).await?.0, world.tokens()?));
    }
    let (world, _, tokens) = servers.first().context("there are two")?;
    let length = answer_length(world, &gets(world, tokens)[0]).await?;
    let (bare, address) = bare::start(&Kind::Constant(length), &place.join("bare.log")).await?;
    let constant = get("/", None);
    let mut contenders = vec![Contender {
        name: format!("a bare axum handler, {length} bytes"),
        address,
        process: &bare,
        connections: READERS,
        expected: 200,
        request: Box::new(move |_, out| out.extend_from_slice(&constant)),
    }];
    for (world, process, tokens) in &servers {
        contenders.push(reading(world, process, gets(world, tokens), world.data.name().to_owned()));
    }
    let figures = compare(&contenders, plan).await?;
    for (contender, of) in contenders.iter().zip(&figures).skip(1) {
        let part = of.rate / figures[0].rate;
        let what = format!("GET /releases/{{id}}, {}", contender.name);
        report.add(
            &what,
            &format!("{:.0}/s, {:.0} µs of processor a call", of.rate, of.micros_a_call),
            &format!(
                "bare handler {:.0}/s, {:.0} µs: {:.0} %",
                figures[0].rate,
                figures[0].micros_a_call,
                part * 100.0
            ),
            "≥ 50 % of the bare handler",
            reached_on(contender, part >= 0.5),
        )?;
        let half = contender.at(0.5, of, plan).await?;
        report.add(
            &format!("{what}, p99 at half of its maximum"),
            &format!("{:.2} ms", half.millis(99.0)),
            "-",
            "≤ 5 ms",
            reached_on(contender, half.millis(99.0) <= 5.0),
        )?;
    }
    Ok(())
}

/// The table's bar is for SQLite; the other database is told beside it.
fn reached_on(contender: &Contender<'_>, yes: bool) -> Reached {
    if contender.name.contains("SQLite") { yes.into() } else { Reached::Told }
}

/// A page of fifty out of few and out of many.
pub async fn list(few: &[World; 2], many: &[World; 2], plan: &Plan, report: &mut Report) -> Result<()> {
    say("\nGET /releases?filter={\"status\":\"ready\"}&sort=-createdAt&pageSize=50, 64 connections")?;
    for (few, many) in few.iter().zip(many) {
        let name = many.data.name();
        let (small, large) = (few.serve(&[]).await?.0, many.serve(&[]).await?.0);
        let (of_small, of_large) = (few.tokens()?, many.tokens()?);
        let contenders = [
            listing(few, &small, &of_small, Totals::Warm, format!("{name}, {} releases, totals warm", plan.few_rows)),
            listing(many, &large, &of_large, Totals::Warm, format!("{name}, {} releases, totals warm", plan.rows)),
            listing(few, &small, &of_small, Totals::Cold, format!("{name}, {} releases, totals cold", plan.few_rows)),
            listing(many, &large, &of_large, Totals::Cold, format!("{name}, {} releases, totals cold", plan.rows)),
        ];
        let figures = compare(&contenders, plan).await?;
        told(report, Totals::Warm, &contenders[1], &figures[1], &figures[0], plan).await?;
        told(report, Totals::Cold, &contenders[3], &figures[3], &figures[2], plan).await?;
    }
    Ok(())
}

async fn told(
    report: &mut Report,
    totals: Totals,
    contender: &Contender<'_>,
    many: &Figures,
    few: &Figures,
    plan: &Plan,
) -> Result<()> {
    let warm = matches!(totals, Totals::Warm);
    let what = format!("list of 50, {}", contender.name);
    let told = |yes: bool| if warm { reached_on(contender, yes) } else { Reached::Told };
    report.add(
        &what,
        &format!("{:.0}/s, {:.0} µs of processor a call", many.rate, many.micros_a_call),
        &format!("{:.0}/s in {} releases: {:+.0} %", few.rate, plan.few_rows, (many.rate / few.rate - 1.0) * 100.0),
        if warm { "≥ 3 000/s, within ±20 % of the small one" } else { "-" },
        told(many.rate >= 3000.0 && (many.rate / few.rate - 1.0).abs() <= 0.2),
    )?;
    let half = contender.at(0.5, many, plan).await?;
    report.add(
        &format!("{what}, p99"),
        &format!("{:.1} ms at half of its maximum, {:.1} ms at it", half.millis(99.0), many.p99),
        &format!("{:.1} ms at its maximum in {} releases", few.p99, plan.few_rows),
        if warm { "≤ 25 ms" } else { "-" },
        told(half.millis(99.0) <= 25.0),
    )
}

/// Creating components against a program that runs the same statements.
pub async fn write(place: &Path, postgres: &Postgres, plan: &Plan, report: &mut Report) -> Result<()> {
    for (server, bar) in [(None, 6000.0), (Some(postgres), 2000.0)] {
        // In one tenant each index grows at one place, in many at as many: more pages a flush.
        for tenants in [1, TENANTS] {
            say(&format!("\nPOST /components, {WRITERS} clients, {tenants} tenants, durable"))?;
            write_on(place, server, tenants, bar, plan, report).await?;
        }
    }
    Ok(())
}

async fn write_on(
    place: &Path,
    server: Option<&Postgres>,
    tenants: usize,
    bar: f64,
    plan: &Plan,
    report: &mut Report,
) -> Result<()> {
    let kind = format!("{}-{tenants}", server.map_or("sqlite", |_| "postgres"));
    let product = World::of(tenants, place, &format!("write-{kind}"), server, 0).await?;
    let beside = World::of(tenants, place, &format!("bare-{kind}"), server, 0).await?;
    let (process, _) = product.serve(&[]).await?;
    let tokens = product.tokens()?;
    // The bare program takes its texts from a component that the product made.
    let (first, _) = beside.serve(&[]).await?;
    let mut bytes = Vec::new();
    creating(&beside, &beside.tokens()?, "first", 0, &mut bytes)?;
    let mut connection = Connection::open(beside.address).await?;
    let status = connection.call(&bytes).await?;
    anyhow::ensure!(status == 201, "the first component: {status}: {}", connection.body());
    drop(connection);
    first.stop()?;
    let (path, url) = (beside.folder.join("data/plimsoll.db"), beside.data.url());
    let kind = url.as_deref().map_or(Kind::Sqlite(&path), Kind::Postgres);
    let (bare, address) = bare::start(&kind, &place.join("bare.log")).await?;
    let contenders = [
        Contender {
            name: format!("a bare program, {}", product.data.name()),
            address,
            process: &bare,
            connections: WRITERS,
            expected: 201,
            request: numbered(|number, run, out| {
                post(
                    out,
                    "/components",
                    "none",
                    &component(&format!("c{run}-{number}"), &beside.registries[0].to_string()),
                );
            }),
        },
        Contender {
            name: product.data.name().to_owned(),
            address: product.address,
            process: &process,
            connections: WRITERS,
            expected: 201,
            request: numbered(|number, run, out| {
                // Every index is in range, so that nothing is left to tell.
                _ = creating(&product, &tokens, &format!("c{run}"), number, out);
            }),
        },
    ];
    let figures = compare(&contenders, plan).await?;
    let (least, ours) = (&figures[0], &figures[1]);
    report.add(
        &format!("POST /components, {}, {tenants} tenants", product.data.name()),
        &format!("{:.0}/s, p99 {:.1} ms, {:.0} µs of processor a call", ours.rate, ours.p99, ours.micros_a_call),
        &format!(
            "bare program {:.0}/s, p99 {:.1} ms, {:.0} µs: {:.0} %",
            least.rate,
            least.p99,
            least.micros_a_call,
            ours.rate / least.rate * 100.0
        ),
        &format!("≥ {bar:.0}/s"),
        ours.rate >= bar,
    )?;
    // Nobody to share a flush with: what the group gains.
    let [_, together] = contenders;
    let rate = ours.rate;
    let alone = [Contender { name: format!("{}, one client", together.name), connections: 1, ..together }];
    let alone = &compare(&alone, plan).await?[0];
    report.add(
        &format!("POST /components, {}, {tenants} tenants, one client alone", product.data.name()),
        &format!("{:.0}/s, p99 {:.1} ms", alone.rate, alone.p99),
        &format!("{WRITERS} clients {rate:.0}/s"),
        "-",
        Reached::Told,
    )
}

/// Numbers each run anew, so that no name comes twice.
fn numbered<'a>(request: impl Fn(u64, u64, &mut Vec<u8>) + 'a) -> Request<'a> {
    let run = std::cell::Cell::new(0);
    Box::new(move |number, out| {
        if number == 0 {
            run.set(run.get() + 1);
        }
        request(number, run.get(), out);
    })
}

fn component(name: &str, registry: &str) -> String {
    format!(r#"{{"name":"{name}","registryIntegrationId":"{registry}","repository":"shop/api"}}"#)
}

fn creating(world: &World, tokens: &[Token], prefix: &str, number: u64, out: &mut Vec<u8>) -> Result<()> {
    let token = tokens.get(number as usize % tokens.len()).context("no token")?;
    let registry = world.registries.get(token.tenant).context("no registry")?.to_string();
    post(out, "/api/v1/components", &token.text, &component(&format!("{prefix}-{number}"), &registry));
    Ok(())
}

fn reading<'a>(world: &World, process: &'a Running, requests: Vec<Vec<u8>>, name: String) -> Contender<'a> {
    let request = move |number: u64, out: &mut Vec<u8>| {
        out.extend_from_slice(&requests[number as usize % requests.len()]);
    };
    Contender { name, address: world.address, process, connections: READERS, expected: 200, request: Box::new(request) }
}

/// Every token in turn, each with a release of its tenant.
fn gets(world: &World, tokens: &[Token]) -> Vec<Vec<u8>> {
    let mut of_tenant: Vec<Vec<&str>> = vec![Vec::new(); TENANTS];
    for (tenant, id) in &world.releases {
        of_tenant[*tenant].push(id);
    }
    let request = |number: usize| {
        let token = &tokens[number % tokens.len()];
        let ids = &of_tenant[token.tenant];
        get(&format!("/api/v1/releases/{}", ids[number / tokens.len() % ids.len()]), Some(&token.text))
    };
    (0..tokens.len() * 10).map(request).collect()
}

#[derive(Clone, Copy)]
enum Totals {
    /// The same filter each time.
    Warm,
    /// Each filter once.
    Cold,
}

fn listing<'a>(
    world: &World,
    process: &'a Running,
    tokens: &'a [Token],
    totals: Totals,
    name: String,
) -> Contender<'a> {
    let fresh = std::cell::Cell::new(0_u32);
    let request = move |number: u64, out: &mut Vec<u8>| {
        let token = &tokens[number as usize % tokens.len()];
        let filter = match totals {
            Totals::Warm => "%7B%22status%22%3A%22ready%22%7D".to_owned(),
            Totals::Cold => {
                // Older than all of them, and never the same.
                fresh.set(fresh.get() + 1);
                let second =
                    format!("{:02}:{:02}:{:02}", fresh.get() / 3600 % 24, fresh.get() / 60 % 60, fresh.get() % 60);
                let day = fresh.get() / 86_400 % 28 + 1;
                format!(
                    "%7B%22status%22%3A%22ready%22%2C%22createdAt%22%3A%7B%22%24gte%22%3A%222020-01-{day:02}T{second}Z%22%7D%7D"
                )
            }
        };
        let path = format!("/api/v1/releases?pageSize=50&sort=-createdAt&filter={filter}");
        out.extend_from_slice(&get(&path, Some(&token.text)));
    };
    Contender { name, address: world.address, process, connections: READERS, expected: 200, request: Box::new(request) }
}

async fn answer_length(world: &World, request: &[u8]) -> Result<usize> {
    let mut connection = Connection::open(world.address).await?;
    let status = connection.call(request).await?;
    anyhow::ensure!(status == 200, "the first release: {status}: {}", connection.body());
    Ok(connection.body().len())
}

/// Start, idle memory and sizes; beside them stand the bars, for no other product has these figures.
pub async fn standing(worlds: &[(&str, &World)], plan: &Plan, report: &mut Report) -> Result<()> {
    say("\nstart, idle memory, sizes")?;
    for (what, world) in worlds {
        let (mut took, mut memory) = (Vec::new(), (0.0, 0.0));
        for _ in 0..plan.starts {
            let (process, time) = world.serve(&[]).await?;
            took.push(time.as_secs_f64() * 1000.0);
            if took.len() == plan.starts {
                tokio::time::sleep(Duration::from_secs(3)).await;
                memory = process.memory()?;
            }
            process.stop()?;
        }
        let longest = took.iter().copied().fold(0.0, f64::max);
        let middle = median(took);
        let label = format!("{} {what}", world.data.name());
        let told = format!("{middle:.0} ms (longest {longest:.0})");
        report.add(&format!("start until ready, {label}"), &told, "the bar alone", "≤ 300 ms", middle <= 300.0)?;
        let told = format!("{:.1} MB resident, {:.1} of it anonymous", memory.0, memory.1);
        report.add(&format!("idle memory, {label}"), &told, "the bar alone", "≤ 60 MB", memory.0 <= 60.0)?;
    }
    Ok(())
}

/// An agent that is enrolled and connected, and has nothing to do.
pub async fn agent(world: &World, report: &mut Report) -> Result<()> {
    let (server, _) = world.serve(&[]).await?;
    let mut bytes = Vec::new();
    let token = world.administrator()?;
    post(&mut bytes, "/api/v1/registration-tokens", &token, r#"{"description":"speed"}"#);
    let mut connection = Connection::open(world.address).await?;
    let status = connection.call(&bytes).await?;
    anyhow::ensure!(status == 201, "the registration token: {status}: {}", connection.body());
    let made: serde_json::Value = serde_json::from_str(&connection.body())?;
    let registration = made["data"]["token"].as_str().context("no token in the answer")?;
    let program = crate::process::binary("plimsoll-agent")?;
    let command = |words: &[&str]| {
        let mut command = Command::new(&program);
        command.args(words).args(["--data-dir", "agent"]);
        command.env_clear().env("HOME", &world.folder).current_dir(&world.folder);
        command
    };
    let url = format!("http://{}", world.address);
    let enrolled = command(&["enrol", "--server", &url, "--name", "idle", "--allow-plain-http"])
        .env("PLIMSOLL_REGISTRATION_TOKEN", registration)
        .output()?;
    anyhow::ensure!(enrolled.status.success(), "{}", String::from_utf8_lossy(&enrolled.stderr));
    let id = String::from_utf8(enrolled.stdout)?.trim().to_owned();
    let idle = Running::spawn(&mut command(&["run", "--allow-plain-http"]), &world.folder.join("agent.log"))?;
    let asked = get(&format!("/api/v1/agents/{id}"), Some(&token));
    let begun = std::time::Instant::now();
    loop {
        connection.call(&asked).await?;
        if connection.body().contains(r#""status":"online""#) {
            break;
        }
        anyhow::ensure!(begun.elapsed() < Duration::from_secs(30), "the agent is not online: {}", idle.tail());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let (resident, anonymous) = idle.memory()?;
    let told = format!("{resident:.1} MB resident, {anonymous:.1} of it anonymous");
    report.add("idle memory, agent", &told, "the bar alone", "≤ 15 MB", resident <= 15.0)?;
    idle.stop()?;
    server.stop()
}

/// What is shipped.
pub fn sizes(report: &mut Report) -> Result<()> {
    for (name, bar) in [("plimsoll", 60.0), ("plimsoll-agent", 15.0)] {
        let size = std::fs::metadata(crate::process::binary(name)?)?.len() as f64 / 1e6;
        report.add(
            &format!("size of {name}"),
            &format!("{size:.1} MB"),
            "the bar alone",
            &format!("≤ {bar:.0} MB"),
            size <= bar,
        )?;
    }
    Ok(())
}
