//! What needs no server: usage, contexts, evidence and stickers.

use std::{fs, os::unix::fs::PermissionsExt as _};

use plimsoll_core::Digest;
use plimsoll_evidence::{PredicateType, SigningKey, Statement, Subject, archive};
use serde_json::{Value, json};

use crate::support::{ended, run};

#[test]
fn a_mistyped_command_is_a_usage_error_with_a_suggestion() {
    let home = tempfile::tempdir().unwrap();
    let (code, _, said) = ended(&run(home.path(), &["evidense"]));
    assert_eq!(code, 2);
    assert!(said.contains("evidence"), "{said}");
    let (code, out, _) = ended(&run(home.path(), &["--help"]));
    assert_eq!(code, 0);
    assert!(out.starts_with("Examples:"), "{out}");
}

#[test]
fn a_packet_is_verified_and_a_changed_one_refused_with_the_reason() {
    let home = tempfile::tempdir().unwrap();
    let path = |name: &str| home.path().join(name).display().to_string();
    let key = SigningKey::generate().unwrap();
    let subjects = vec![Subject::new("api", Digest::of(b"api"))];
    let statement = Statement::new(PredicateType::Deployment, subjects, json!({"job": "1"})).unwrap();
    let packet = key.sign_statement(&statement).unwrap();
    fs::write(path("packet.json"), &packet).unwrap();
    fs::write(path("key.pem"), key.public_key().to_pem()).unwrap();
    fs::write(path("other.pem"), SigningKey::generate().unwrap().public_key().to_pem()).unwrap();
    let verify = |file: &str, key: &str, form: &str| {
        ended(&run(home.path(), &["-o", form, "evidence", "verify", &path(file), "--key", &path(key)]))
    };

    let (code, out, said) = verify("packet.json", "key.pem", "table");
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("verified") && out.contains(&Digest::of(b"api").to_string()), "{out}");
    let (code, out, _) = verify("packet.json", "key.pem", "json");
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &value["verified"], &value["predicate"]["job"]), (0, &json!(true), &json!("1")));

    fs::write(path("packet.zip"), archive::pack(&packet, key.public_key()).unwrap()).unwrap();
    assert_eq!(verify("packet.zip", "key.pem", "table").0, 0);
    assert_eq!(verify("packet.zip", "other.pem", "table").0, 1);

    let (code, out, said) = verify("packet.json", "other.pem", "table");
    assert_eq!((code, out.as_str()), (1, ""), "{said}");
    let mut changed = packet.clone();
    let at = changed.len() / 2;
    changed[at] ^= 1;
    fs::write(path("changed.json"), &changed).unwrap();
    let (code, _, said) = verify("changed.json", "key.pem", "table");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("not verified"), "{said}");
    assert_eq!(verify("absent.json", "key.pem", "table").0, 2);

    let (code, _, said) = ended(&run(home.path(), &["evidence", "replay", &path("packet.json")]));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("only decisions"), "{said}");
}

#[test]
fn contexts_are_kept_for_their_owner_alone() {
    let home = tempfile::tempdir().unwrap();
    let set = ["context", "set", "prod", "https://plimsoll.example.com/", "--protected"];
    assert_eq!(ended(&run(home.path(), &set)).0, 0);
    let (_, out, _) = ended(&run(home.path(), &["context", "list", "-o", "json"]));
    let all: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(all[0]["url"], "https://plimsoll.example.com");
    let file = home.path().join(".config/plimsoll/contexts.toml");
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(ended(&run(home.path(), &["context", "use", "staging"])).0, 2);
    let (code, _, said) = ended(&run(home.path(), &["freeze", "delete", "prod", "sale"]));
    assert_eq!(code, 2, "a script says --yes: {said}");
    assert!(said.contains("protected") && said.contains("--yes"), "{said}");
    assert_eq!(ended(&run(home.path(), &["--context", "staging", "api", "GET", "components"])).0, 2);
}
