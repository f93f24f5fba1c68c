//! The recipes that `docs/verify-evidence.md` gives to strangers do what it says.

use std::{fs, path::Path, process::Command};

use crate::{
    common::decision,
    interop::{Bench, run},
};

#[test]
fn the_openssl_recipe_works_as_printed() {
    let bench = Bench::new();
    let good = bench.key.sign_statement(&decision()).unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let evil = text.replacen("\"payload\":\"eyJfdHlwZSI6", "\"payload\":\"eyJfdHlwZSI7", 1);
    assert_ne!(evil, text);
    bench.put(&good);
    let said = recipe(&bench).unwrap();
    assert!(said.starts_with("Verified OK\n"), "{said}");
    assert!(said.contains("\"predicateType\": \"urn:plimsoll:attestation:promotion-decision:v1\""), "{said}");
    bench.put(evil.as_bytes());
    recipe(&bench).unwrap_err();
}

/// Runs the page's block marked `openssl` in the directory of the packet.
fn recipe(bench: &Bench) -> Result<String, String> {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify-evidence.md")).unwrap();
    let (_, after) = page.split_once("```sh openssl\n").expect("the page has the recipe");
    let (script, _) = after.split_once("```").unwrap();
    run(Command::new("sh").args(["-e", "-c", script]).current_dir(bench.dir.path()))
}
