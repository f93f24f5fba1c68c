//! A server as a process, and calls to it.

use std::process::Command;

use serde_json::Value;

use crate::support::{Served, ended, plimsoll, run};

#[test]
fn a_server_starts_answers_and_stops_when_told() {
    let home = tempfile::tempdir().unwrap();
    let mut server = Served::start(home.path());
    assert!(home.path().join("plimsoll-data/initial-admin-password").is_file(), "the first start leaves a password");

    let (code, _, said) = ended(&run(home.path(), &["--url", &server.url, "api", "GET", "/api/v1/components"]));
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("UNAUTHENTICATED") && said.contains("plimsoll login"), "{said}");

    let (code, out, said) =
        ended(&run(home.path(), &["--url", &server.url, "-o", "json", "api", "GET", "/api/v1/components"]));
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, out.as_str()), (4, ""));
    assert_eq!(told["error"]["code"], "UNAUTHENTICATED");
    assert!(told["meta"]["requestId"].is_string(), "{told}");

    let (code, out, said) = ended(&run(home.path(), &["--url", &server.url, "api", "GET", "/.well-known/jwks.json"]));
    assert_eq!(code, 0, "{said}");
    let keys: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(keys["keys"][0]["kty"], "EC");

    let told = Command::new("kill").arg(server.child.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_server_that_is_away_has_its_own_exit_code() {
    let home = tempfile::tempdir().unwrap();
    let (code, _, said) = ended(&run(home.path(), &["--url", "http://127.0.0.1:1", "api", "GET", "components"]));
    assert_eq!(code, 69, "{said}");
    assert!(said.contains("--url"), "{said}");
}

#[test]
fn a_forged_token_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let server = Served::start(home.path());
    let output = plimsoll(home.path(), &["--url", &server.url, "api", "GET", "components"])
        .env("PLIMSOLL_TOKEN", "not-a-token")
        .output()
        .unwrap();
    assert_eq!(ended(&output).0, 4);
}

#[test]
fn the_configuration_is_printed_with_its_sources() {
    let home = tempfile::tempdir().unwrap();
    let output = plimsoll(home.path(), &["serve", "--print-config", "--lease-seconds", "30"])
        .env("PLIMSOLL_DATABASE_URL", "postgres://u:hunter2@h/d")
        .output()
        .unwrap();
    let (code, out, said) = ended(&output);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("leaseSeconds = 30 # flag"), "{out}");
    assert!(out.contains("environment PLIMSOLL_DATABASE_URL") && !out.contains("hunter2"), "{out}");
    let (code, _, said) = ended(&run(home.path(), &["serve", "--listen", "0.0.0.0:0"]));
    assert_eq!(code, 2, "{said}");
}

#[test]
fn users_are_helped_on_the_host_while_the_server_runs() {
    let home = tempfile::tempdir().unwrap();
    let (code, _, said) = ended(&run(home.path(), &["admin", "unlock", "admin"]));
    assert_eq!(code, 2, "{said}");
    let _server = Served::start(home.path());
    assert_eq!(ended(&run(home.path(), &["admin", "unlock", "admin"])).0, 0);
    assert_eq!(ended(&run(home.path(), &["admin", "grant-admin", "default/admin"])).0, 0);
    let (code, _, said) = ended(&run(home.path(), &["admin", "unlock", "nobody"]));
    assert_eq!(code, 2, "{said}");
    let (code, out, said) = ended(&run(home.path(), &["admin", "reset-password", "admin"]));
    assert_eq!((code, out.as_str()), (2, ""), "no password where no person reads it: {said}");
}
