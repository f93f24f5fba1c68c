//! `make bench`: whole servers as processes on loopback, each figure beside what it is measured against.
//!
//! The server is the release binary with its defaults, its log at `info` into a file. Loads go to loopback alone
//! and end by themselves. The rate limits are in force: a thousand principals of premium tenants take turns.

mod bare;
mod load;
mod process;
mod releases;
mod report;
mod rounds;
mod rows;
mod world;

use std::{path::Path, time::Duration};

use anyhow::Result;
use plimsoll_testkit::Postgres;

use report::{Report, say};
use rounds::Plan;
use world::World;

const HELP: &str = "\
speed [--smoke] [row…]
  --smoke   short rounds and few rows, to see that it works; its figures say nothing
  rows      read list write standing; all when none is named";

const FULL: Plan = Plan {
    rounds: 3,
    warm_up: Duration::from_secs(2),
    duration: Duration::from_secs(5),
    rows: 1_000_000,
    few_rows: 10_000,
    starts: 5,
};

const SMOKE: Plan = Plan {
    rounds: 1,
    warm_up: Duration::from_millis(300),
    duration: Duration::from_millis(700),
    rows: 20_000,
    few_rows: 2_000,
    starts: 2,
};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "bare"
    {
        return bare::run(rest);
    }
    let known = ["--smoke", "read", "list", "write", "standing"];
    if arguments.iter().any(|word| !known.contains(&word.as_str())) {
        return say(HELP);
    }
    let plan = if arguments.iter().any(|word| word == "--smoke") { SMOKE } else { FULL };
    let rows: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| *word != "--smoke").collect();
    let wanted = |row: &str| rows.is_empty() || rows.contains(&row);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure(&plan, wanted))
}

async fn measure(plan: &Plan, wanted: impl Fn(&str) -> bool) -> Result<()> {
    // On a disk: a file system in memory, as /tmp may be, would make every flush free.
    let folder = tempfile::Builder::new().prefix("speed-").tempdir_in("/var/tmp")?;
    let place = folder.path();
    // PostgreSQL runs as another user below it.
    std::fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    let (mut report, postgres) = (Report::default(), Postgres::durable(place)?);
    say(&report::machine()?)?;
    say(&format!(
        "one flush of 4 KiB to this disk: {:.0} µs; {}",
        report::flush_micros(place)?,
        postgres.sql("SELECT version()")?
    ))?;
    if wanted("write") {
        rows::write(place, &postgres, plan, &mut report).await?;
    }
    if wanted("read") || wanted("list") || wanted("standing") {
        prepared(place, &postgres, plan, wanted, &mut report).await?;
    }
    rows::sizes(&mut report)?;
    report.print()
}

/// The rows that begin with releases in the databases.
async fn prepared(
    place: &Path,
    postgres: &Postgres,
    plan: &Plan,
    wanted: impl Fn(&str) -> bool,
    report: &mut Report,
) -> Result<()> {
    say(&format!("\npreparing {} and {} releases in each database", plan.few_rows, plan.rows))?;
    let few = [
        World::prepare(place, "few-sqlite", None, plan.few_rows).await?,
        World::prepare(place, "few-postgres", Some(postgres), plan.few_rows).await?,
    ];
    if wanted("read") {
        let [sqlite, in_postgres] = &few;
        rows::read(place, sqlite, in_postgres, plan, report).await?;
    }
    if wanted("list") || wanted("standing") {
        let many = [
            World::prepare(place, "many-sqlite", None, plan.rows).await?,
            World::prepare(place, "many-postgres", Some(postgres), plan.rows).await?,
        ];
        if wanted("list") {
            rows::list(&few, &many, plan, report).await?;
        }
        if wanted("standing") {
            let empty = World::prepare(place, "empty", None, 0).await?;
            let worlds = [
                ("empty", &empty),
                ("with few releases", &few[0]),
                ("with all releases", &many[0]),
                ("with all releases", &many[1]),
            ];
            rows::standing(&worlds, plan, report).await?;
            rows::agent(&empty, report).await?;
        }
    }
    Ok(())
}
