//! Tests that run on both databases: as many on the one as on the other.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;

use crate::{Findings, repository::Repository};

/// A test on both databases is two: `…::sqlite` and `…::postgres`.
const SQLITE: &str = "::sqlite";
const POSTGRES: &str = "::postgres";

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
pub fn pairs(repository: &Repository) -> Result<Pairs> {
    let arguments = ["nextest", "list", "--locked", "--workspace", "--message-format", "json"];
    let listing: Listing = serde_json::from_str(&repository.cargo(&arguments)?)?;
    let suites = listing.rust_suites.into_iter();
    Ok(pair(suites.flat_map(|(suite, tests)| {
        let running = tests.testcases.into_iter().filter(|(_, test)| !test.ignored);
        running.map(move |(name, _)| format!("{suite} {name}"))
    })))
}

fn pair(tests: impl Iterator<Item = String>) -> Pairs {
    let (mut sqlite, mut postgres) = (BTreeSet::new(), BTreeSet::new());
    for test in tests {
        if let Some(name) = test.strip_suffix(SQLITE) {
            sqlite.insert(name.to_owned());
        } else if let Some(name) = test.strip_suffix(POSTGRES) {
            postgres.insert(name.to_owned());
        }
    }
    let alone = sqlite.symmetric_difference(&postgres);
    let alone =
        alone.map(|name| format!("{name} runs on one database alone: it needs {SQLITE} and {POSTGRES}")).collect();
    Pairs { sqlite: sqlite.len(), postgres: postgres.len(), alone }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs_of(tests: &[&str]) -> Pairs {
        pair(tests.iter().map(|&test| test.to_owned()))
    }

    #[test]
    fn twins_are_counted_and_other_tests_are_not() {
        let pairs = pairs_of(&["store::it a::sqlite", "store::it a::postgres", "core b", "testkit::it postgres::c"]);
        assert_eq!(pairs, Pairs { sqlite: 1, postgres: 1, alone: Findings::new() });
    }

    #[test]
    fn a_test_without_its_twin_is_found() {
        let pairs = pairs_of(&["store::it a::sqlite", "store::it b::postgres"]);
        assert_eq!((pairs.sqlite, pairs.postgres, pairs.alone.len()), (1, 1, 2));
    }
}
