//! Schemathesis, which is not ours, drives every operation of the OpenAPI document with values that fit the schemas and
//! values that do not. It finds no 500 and no answer that the document does not describe.

use std::process::Command;

use plimsoll_protocol::operation::{Method, built};
use plimsoll_testkit::program::python_libraries;
use serde_json::json;

use crate::{
    on_both,
    world::{World, all},
};

on_both! {
    a_stranger_to_the_code_finds_nothing;
}

/// Calls an operation and kind of value. More find the same more often.
const EXAMPLES: &str = "4";

async fn a_stranger_to_the_code_finds_nothing(world: &World) {
    // A tenant that may call five thousand times a minute.
    let tenant = world.post("/api/v1/tenants", &json!({ "name": "fuzzed", "tier": "premium" })).await.id();
    let token = world.token(tenant.parse().unwrap(), world.context.id(), all());
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-m", "schemathesis.cli", "run", &format!("{}/openapi.json", world.server.url)])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", "not_a_server_error,status_code_conformance,content_type_conformance"])
        .args(["--checks", "response_schema_conformance"])
        .args(["--phases", "examples,fuzzing", "--max-examples", EXAMPLES, "--seed", "1", "--no-shrink"])
        // Streams are opened as WebSockets, which it does not speak.
        .args(["--exclude-operation-id-regex", "_stream$"])
        .args(["--rate-limit", "4500/m", "--request-timeout", "30", "--no-color", "--warnings", "off"])
        .env("PYTHONPATH", python_libraries())
        .current_dir(folder.path());
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{said}");
    let spoken = built().filter(|operation| operation.method != Method::WebSocket).count();
    for part in ["No issues found", &format!("Tested: {spoken}\n")] {
        assert!(said.contains(part), "{said}");
    }
}
