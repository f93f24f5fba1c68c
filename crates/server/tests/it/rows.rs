//! How many rows every table of a world has: what a refused call must leave as it was.

use plimsoll_store::{Row, Scope, SystemReason, params};
use plimsoll_testkit::{PATIENCE, breath, eventually_async, postgres::TestDatabase};

use crate::world::World;

/// Tables whose rows come and go whoever calls, or that a refused call may add to; each with its reason.
const PASSING: &[(&str, &str)] = &[
    ("audit_event", "a refusal is a line of the trail"),
    ("unsequenced", "each line of the trail waits here for its position"),
    ("event_position", "each event gets its position here after it was written, whoever wrote it"),
    ("living_count", "a line of the trail is counted, on SQLite"),
    ("forgotten", "how far old logs were forgotten is written soon after a start"),
    ("lease", "servers take turns here, each when it first comes to it"),
    ("sign_in_attempt", "a wrong password is counted, so that guesses are limited"),
    ("rate_spent", "replicas share what each caller has spent of its rate, refused or not"),
];

impl World {
    /// How many rows every table has, of all tenants, but for those of [`PASSING`].
    pub async fn rows(&self) -> Vec<(String, i64)> {
        let mut rows = match &self.database {
            Some(database) => rows_on_postgres(database),
            None => self.rows_on_sqlite().await,
        };
        rows.retain(|(name, _)| PASSING.iter().all(|(passing, _)| passing != name));
        assert!(rows.len() > 40, "{rows:?}");
        rows
    }

    /// The rows when each component was synced once, which comes by itself soon after it was made.
    pub async fn synced(&self) -> Vec<(String, i64)> {
        self.rows_when("each component is synced once", |count| count("component_sync") == count("component")).await
    }

    /// The rows when the background has done what it had to: there is no work but the next sync of each component.
    pub async fn settled(&self) -> Vec<(String, i64)> {
        let done = |count: &dyn Fn(&str) -> i64| {
            count("component_sync") == count("component") && count("work") == count("component")
        };
        self.rows_when("the background is done", done).await
    }

    async fn rows_when(&self, what: &str, done: impl Fn(&dyn Fn(&str) -> i64) -> bool) -> Vec<(String, i64)> {
        eventually_async(what, PATIENCE, async || {
            breath().await;
            let rows = self.rows().await;
            let count = |table: &str| rows.iter().find(|(name, _)| name == table).unwrap().1;
            if done(&count) { Ok(rows) } else { Err(format!("{rows:?}")) }
        })
        .await
        .unwrap()
    }

    async fn rows_on_sqlite(&self) -> Vec<(String, i64)> {
        let tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name";
        self.app()
            .store
            .read(Scope::System(SystemReason::Sweep), "test_rows", move |tx| {
                let names = tx.query(tables, params![])?.into_iter().map(Row::first::<String>);
                let names = names.collect::<Result<Vec<_>, _>>()?;
                let mut out = Vec::new();
                for name in names {
                    let count = tx.query_one(&format!("SELECT count(*) FROM {name}"), params![])?;
                    out.push((name, count.first::<i64>()?));
                }
                Ok(out)
            })
            .await
            .unwrap()
    }
}

/// As the superuser, whom no wall holds.
fn rows_on_postgres(database: &TestDatabase) -> Vec<(String, i64)> {
    let tables =
        "SELECT string_agg(format('SELECT %L, count(*) FROM %I', relname, relname), ' UNION ALL ' ORDER BY relname)
       FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')";
    let counts = database.sql(&database.sql(tables).unwrap()).unwrap();
    let read = |line: &str| line.split_once('|').map(|(name, count)| (name.to_owned(), count.parse().unwrap()));
    let mut rows: Vec<_> = counts.lines().filter_map(read).collect();
    rows.sort();
    rows
}
