//! Tests that run on both databases: as many on the one as on the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Findings, repository::Repository};

/// The words by which a test says on which database it runs.
const SQLITE: &str = "sqlite";
const POSTGRES: &str = "postgres";

/// Where nextest writes its reports: in the tree, wherever cargo builds (`store.dir` in .config/nextest.toml).
const NEXTEST_STORE: &str = "target/nextest";

/// Suites that need a database in each test: one that names none runs on the one that its author thought of.
const ALWAYS_ON_BOTH: &[&str] = &["plimsoll-server::it", "plimsoll-store::it"];

/// Their tests that are about no database, or about one alone.
const ON_NEITHER: &[(&str, &str)] = &[
    // About the table of operations itself.
    ("plimsoll-server::it", "table::the_table_is_the_contract_and_ours"),
    ("plimsoll-server::it", "table::what_is_not_built_only_shrinks"),
    // SQLite has one server and one file; PostgreSQL has connections and replicas.
    ("plimsoll-server::it", "operator::what_is_spent_at_one_replica_is_spent_at_the_other"),
    ("plimsoll-store::it", "seam::a_closed_database_is_whole_in_its_file_alone_and_takes_no_more"),
    ("plimsoll-store::it", "seam::a_commit_of_one_replica_wakes_those_who_wait_at_another"),
    ("plimsoll-store::it", "broken::nobody_pays_for_connections_that_died_unused"),
];

/// What `cargo nextest list` says.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Listing {
    rust_suites: BTreeMap<String, Suite>,
}

#[derive(Deserialize)]
struct Suite {
    testcases: BTreeMap<String, Test>,
}

#[derive(Deserialize)]
struct Test {
    ignored: bool,
}

/// How many tests there are on each database, and which of them have no twin.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pairs {
    pub sqlite: usize,
    pub postgres: usize,
    pub alone: Findings,
}

/// Looks at all tests of the workspace. It builds them.
pub fn listed(repository: &Repository) -> Result<Pairs> {
    let arguments = ["nextest", "list", "--locked", "--workspace", "--message-format", "json"];
    let listing: Listing = serde_json::from_str(&repository.cargo(&arguments)?)?;
    let suites = listing.rust_suites.iter();
    Ok(pair(suites.flat_map(|(suite, tests)| {
        let running = tests.testcases.iter().filter(|(_, test)| !test.ignored);
        running.map(move |(name, _)| (suite.as_str(), name.as_str()))
    })))
}

/// Looks at the tests that the last run with this profile really ran.
pub fn ran(repository: &Repository, profile: &str) -> Result<Pairs> {
    let report = repository.read(&format!("{NEXTEST_STORE}/{profile}/junit.xml"));
    Ok(pair(cases(&report.context("`make test` writes the report of a run")?)))
}

/// Suite and name of each test in a JUnit report. What Rust calls tests holds nothing that XML escapes.
fn cases(report: &str) -> impl Iterator<Item = (&str, &str)> {
    report.split("<testcase ").skip(1).filter_map(|rest| {
        let element = rest.split('>').next()?;
        Some((attribute(element, "classname")?, attribute(element, "name")?))
    })
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    element.split(' ').find_map(|one| one.strip_prefix(name)?.strip_prefix("=\"")?.split('"').next())
}

fn pair<'a>(tests: impl Iterator<Item = (&'a str, &'a str)>) -> Pairs {
    let (mut sqlite, mut postgres, mut unnamed) = (BTreeSet::new(), BTreeSet::new(), Findings::new());
    for (suite, name) in tests.filter(|(suite, _)| is_on_databases(suite)) {
        if let Some(both) = without(name, SQLITE) {
            sqlite.insert(format!("{suite} {both}"));
        } else if let Some(both) = without(name, POSTGRES) {
            postgres.insert(format!("{suite} {both}"));
        } else if ALWAYS_ON_BOTH.contains(&suite) && !ON_NEITHER.contains(&(suite, name)) {
            unnamed.push(format!(
                "{suite} {name} says no database: put it into on_both!, or list it in xtask/src/databases.rs with its reason"
            ));
        }
    }
    let alone = sqlite.symmetric_difference(&postgres);
    let mut alone: Findings =
        alone.map(|name| format!("{name} runs on one database alone: * must be {SQLITE} and {POSTGRES}")).collect();
    alone.append(&mut unnamed);
    Pairs { sqlite: sqlite.len(), postgres: postgres.len(), alone }
}

/// Tests inside a crate are about one of its modules; the testkit's own are about its parts.
fn is_on_databases(suite: &str) -> bool {
    suite.ends_with("::it") && suite != "plimsoll-testkit::it"
}

/// The name that a test shares with its twin: a module or the test itself is called after the database, or ends in
/// `_on_<database>`. `None`: it says nothing of this database.
fn without(name: &str, database: &str) -> Option<String> {
    let mut found = false;
    let parts: Vec<String> = name
        .split("::")
        .map(|part| match part.strip_suffix(database) {
            Some(front) if front.is_empty() || front == "on_" || front.ends_with("_on_") => {
                found = true;
                format!("{front}*")
            }
            Some(_) | None => part.to_owned(),
        })
        .collect();
    found.then(|| parts.join("::"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[(&str, &str)] = &[
        ("plimsoll-store::it", "a::sqlite"),
        ("plimsoll-store::it", "a::postgres"),
        ("plimsoll-app::it", "jobs::sqlite::end"),
        ("plimsoll-app::it", "jobs::postgres::end"),
        ("plimsoll-cli::it", "kills::server_dies_at::offer_sent::on_sqlite"),
        ("plimsoll-cli::it", "kills::server_dies_at::offer_sent::on_postgres"),
        ("plimsoll-cli::it", "system::the_whole_story_on_sqlite"),
        ("plimsoll-cli::it", "system::the_whole_story_on_postgres"),
        ("plimsoll-core", "b"),
        ("plimsoll-store", "seam::sqlite::tests::c"),
        ("plimsoll-testkit::it", "postgres::d"),
    ];

    const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="nextest-run" tests="2">
    <testsuite name="plimsoll-store::it" tests="2" failures="0">
        <testcase name="a::sqlite" classname="plimsoll-store::it" timestamp="2026-01-01T00:00:00.000+00:00" time="0.017">
        </testcase>
        <testcase name="a::postgres" classname="plimsoll-store::it" time="0.017"/>
    </testsuite>
</testsuites>"#;

    #[test]
    fn twins_are_counted_however_they_are_named_and_other_tests_are_not() {
        assert_eq!(pair(ALL.iter().copied()), Pairs { sqlite: 4, postgres: 4, alone: Findings::new() });
    }

    #[test]
    fn a_test_without_its_twin_is_found() {
        for (index, (suite, name)) in ALL[..8].iter().enumerate() {
            let pairs = pair(ALL.iter().enumerate().filter(|(at, _)| *at != index).map(|(_, test)| *test));
            assert_eq!((pairs.sqlite + pairs.postgres, pairs.alone.len()), (7, 1), "{suite} {name}");
        }
        let twins = [("plimsoll-store::it", "a::sqlite"), ("plimsoll-app::it", "a::postgres")];
        assert_eq!(pair(twins.into_iter()).alone.len(), 2, "not of the same suite");
    }

    #[test]
    fn a_test_that_names_no_database_is_found_unless_it_is_listed() {
        let tests =
            [("plimsoll-server::it", "conventions::a"), ("plimsoll-app::it", "fake_registry::b"), ON_NEITHER[0]];
        let alone = pair(tests.into_iter()).alone;
        assert_eq!(alone.len(), 1);
        assert!(alone[0].contains("conventions::a"), "{alone:?}");
    }

    #[test]
    fn a_report_of_a_run_is_read_wherever_cargo_builds() {
        let tree = tempfile::tempdir().unwrap();
        let folder = tree.path().join(NEXTEST_STORE).join("ci");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("junit.xml"), REPORT).unwrap();
        let pairs = ran(&Repository::at(tree.path()), "ci").unwrap();
        assert_eq!(pairs, Pairs { sqlite: 1, postgres: 1, alone: Findings::new() });
        assert!(ran(&Repository::at(tree.path()), "default").is_err(), "no run with this profile");
    }

    #[test]
    fn suite_and_name_of_each_test_are_read() {
        let read: Vec<_> = cases(REPORT).collect();
        assert_eq!(read, [("plimsoll-store::it", "a::sqlite"), ("plimsoll-store::it", "a::postgres")]);
    }
}
