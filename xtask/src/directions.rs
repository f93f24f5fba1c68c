//! The walls between the crates: who may use whom, and which libraries stay out of which room.

use anyhow::Result;

use crate::{
    Findings,
    repository::{Package, Repository},
};

/// What one crate may use.
struct Room {
    name: &'static str,
    /// Crates of ours that it may use.
    may_use: &'static [&'static str],
    /// Libraries that must not be among its direct dependencies.
    never: &'static [&'static [&'static str]],
}

const ASYNC: &[&str] = &["tokio", "tokio-util", "futures-util"];
const SERVER_HTTP: &[&str] = &["axum", "tower", "tower-http"];
const CLIENT_HTTP: &[&str] = &["reqwest", "tokio-tungstenite"];
const SQL: &[&str] = &["rusqlite", "tokio-postgres", "tokio-postgres-rustls"];
const AMBIENT: &[&str] = &["rand", "bollard", "rustix"];

/// From the innermost room outwards.
const ROOMS: &[Room] = &[
    Room { name: "core", may_use: &[], never: &[ASYNC, SERVER_HTTP, CLIENT_HTTP, SQL, AMBIENT] },
    Room { name: "evidence", may_use: &["core"], never: &[ASYNC, SERVER_HTTP, CLIENT_HTTP, SQL, AMBIENT] },
    Room { name: "oci", may_use: &["core"], never: &[SERVER_HTTP, SQL] },
    Room { name: "protocol", may_use: &["core"], never: &[SERVER_HTTP, SQL] },
    Room { name: "store", may_use: &["core"], never: &[SERVER_HTTP, CLIENT_HTTP] },
    Room { name: "authority", may_use: &["core", "store"], never: &[SERVER_HTTP, SQL] },
    Room {
        name: "app",
        may_use: &["core", "evidence", "oci", "protocol", "store", "authority"],
        never: &[SERVER_HTTP, SQL],
    },
    // It reads the configuration of store and outbound calls, opens both at start and hands them on; no SQL.
    Room { name: "server", may_use: &["core", "oci", "protocol", "store", "authority", "app"], never: &[SQL] },
    Room { name: "agent", may_use: &["core", "evidence", "oci", "protocol"], never: &[SERVER_HTTP, SQL] },
    Room {
        name: "cli",
        may_use: &["core", "evidence", "oci", "protocol", "store", "authority", "app", "server", "agent"],
        never: &[SQL],
    },
    Room { name: "demo-app", may_use: &[], never: &[SQL] },
    Room {
        name: "testkit",
        may_use: &["core", "evidence", "oci", "protocol", "store", "authority", "app", "server", "agent"],
        never: &[],
    },
    Room { name: "xtask", may_use: &["core", "protocol", "server"], never: &[SERVER_HTTP, CLIENT_HTTP, SQL] },
];

/// Compares every manifest with the table.
pub fn check(repository: &Repository) -> Result<Findings> {
    Ok(repository.workspace()?.packages.iter().flat_map(findings_of).collect())
}

fn findings_of(package: &Package) -> Findings {
    let name = short(&package.name);
    let Some(room) = ROOMS.iter().find(|room| room.name == name) else {
        return vec![format!("crate {name} has no row in xtask/src/directions.rs: say what it may use")];
    };
    package.dependencies.iter().filter_map(|used| refusal(room, &used.name, used.kind.is_some())).collect()
}

/// Tests may use the testkit, the demo application, the crate itself with further features, and any library.
fn refusal(room: &Room, used: &str, only_for_tests: bool) -> Option<String> {
    let Room { name, may_use, never } = room;
    if used == "xtask" || used.starts_with("plimsoll-") {
        let used = short(used);
        let allowed =
            may_use.contains(&used) || (only_for_tests && (["testkit", "demo-app"].contains(&used) || used == *name));
        let list = if may_use.is_empty() { "none of our crates".to_owned() } else { may_use.join(", ") };
        return (!allowed).then(|| format!("{name} must not use {used}; it may use {list} (ARCHITECTURE.md)"));
    }
    let refused = !only_for_tests && never.iter().any(|group| group.contains(&used));
    refused.then(|| format!("{name} must not use the library {used}: that belongs into another room (ARCHITECTURE.md)"))
}

fn short(package: &str) -> &str {
    package.strip_prefix("plimsoll-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::Dependency;

    fn package(name: &str, dependencies: &[(&str, Option<&str>)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) })
            .collect();
        Package { name: name.to_owned(), dependencies }
    }

    #[test]
    fn a_room_uses_what_its_row_allows() {
        let app = package("plimsoll-app", &[("plimsoll-core", None), ("plimsoll-store", None), ("tokio", None)]);
        assert_eq!(findings_of(&app), Findings::new());
    }

    #[test]
    fn a_dependency_upwards_is_refused() {
        let store = package("plimsoll-store", &[("plimsoll-core", None), ("plimsoll-app", None)]);
        let findings = findings_of(&store);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("store must not use app"), "{findings:?}");
    }

    #[test]
    fn a_library_of_another_room_is_refused_but_for_tests() {
        assert_eq!(findings_of(&package("plimsoll-core", &[("tokio", Some("dev"))])), Findings::new());
        assert_eq!(findings_of(&package("plimsoll-core", &[("tokio", None)])).len(), 1);
        assert_eq!(findings_of(&package("plimsoll-server", &[("rusqlite", None)])).len(), 1);
    }

    #[test]
    fn the_testkit_is_for_tests_alone() {
        assert_eq!(findings_of(&package("plimsoll-agent", &[("plimsoll-testkit", Some("dev"))])), Findings::new());
        assert_eq!(findings_of(&package("plimsoll-agent", &[("plimsoll-testkit", None)])).len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_is_refused() {
        assert_eq!(findings_of(&package("plimsoll-shed", &[])).len(), 1);
    }

    #[test]
    fn the_rows_have_no_circle() {
        for (index, room) in ROOMS.iter().enumerate() {
            for used in room.may_use {
                assert!(ROOMS[..index].iter().any(|below| below.name == *used), "{} uses {used}", room.name);
            }
        }
    }
}
