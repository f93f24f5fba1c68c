//! Failures that need no server: exit codes, what to do, and JSON for programs.

use serde_json::Value;

use crate::support::{ended, run};

/// Nobody listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

/// The one line of JSON on standard error.
#[track_caller]
fn told(said: &str) -> Value {
    assert_eq!(said.lines().count(), 1, "{said}");
    serde_json::from_str(said).unwrap_or_else(|cause| panic!("{cause}: {said}"))
}

#[test]
fn errors_are_json_where_json_was_asked_for() {
    let home = tempfile::tempdir().unwrap();
    for words in [
        &["env", "lst", "-o", "json"][..],
        &["-ojson", "env", "get"],
        &["--output=ndjson", "env"],
        &["promote", "shop@1", "--to", "prod", "--no-such-flag", "-qoyaml"],
    ] {
        let (code, out, said) = ended(&run(home.path(), words));
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}");
        let error = &told(&said)["error"];
        assert_eq!(error["code"], "USAGE", "{error}");
        assert!(!error["message"].as_str().unwrap().is_empty() && error["hint"].is_string(), "{error}");
    }
    let (_, _, said) = ended(&run(home.path(), &["env", "lst", "-o", "json"]));
    let error = &told(&said)["error"];
    assert!(error["message"].as_str().unwrap().contains("'lst'"), "{error}");
    assert!(error["hint"].as_str().unwrap().contains("'list'"), "did you mean: {error}");
    // People are told in words.
    let (code, _, said) = ended(&run(home.path(), &["env", "lst", "-o", "table"]));
    assert!(code == 2 && said.starts_with("error: "), "{code} {said}");
    // Help is no error.
    let (code, out, said) = ended(&run(home.path(), &["env", "--help", "-o", "json"]));
    assert!(code == 0 && out.contains("Usage:") && said.is_empty(), "{code} {said}");

    let (code, out, said) = ended(&run(home.path(), &["--url", NOWHERE, "env", "list", "-o", "yaml"]));
    assert_eq!((code, out.as_str()), (69, ""), "{said}");
    assert_eq!(told(&said)["exitCode"], 69);
}

#[test]
fn what_has_no_name_wants_an_id_and_says_where_to_find_it() {
    let home = tempfile::tempdir().unwrap();
    for (words, list) in [
        (&["job", "get", "word"][..], "plimsoll job list"),
        (&["job", "watch", "word"], "plimsoll job list"),
        (&["job", "tasks", "word"], "plimsoll job list"),
        (&["job", "cancel", "word"], "plimsoll job list"),
        (&["logs", "word"], "plimsoll job list"),
        (&["evidence", "get", "word"], "plimsoll evidence list"),
        (&["evidence", "download", "word"], "plimsoll evidence list"),
        (&["sticker", "get", "word"], "plimsoll sticker list"),
        (&["promotion", "get", "word"], "plimsoll promotion list"),
    ] {
        let (code, out, said) = ended(&run(home.path(), &[&["--url", NOWHERE][..], words].concat()));
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {said}");
        assert!(said.contains("\"word\" is not an id") && said.contains(list), "{words:?}: {said}");
    }
    // A form that cannot be had is refused before anything is done.
    for words in [&["component", "sync", "api"][..], &["integration", "test", "hub"], &["api", "GET", "components"]] {
        let (code, out, said) = ended(&run(home.path(), &[&["--url", NOWHERE, "-o", "name"][..], words].concat()));
        assert_eq!((code, out.as_str()), (2, ""), "{words:?}: {said}");
        assert!(said.contains("has no name"), "{words:?}: {said}");
    }
}

#[test]
fn an_agent_fails_by_the_same_codes_and_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let enrol = ["agent", "enrol", "--data-dir", "agent", "--server", NOWHERE];
    for (words, exit, hint) in [
        (&["agent", "run", "--data-dir", "agent"][..], 4, "plimsoll agent enrol"),
        (&["agent", "keys", "--data-dir", "agent"], 4, "plimsoll agent enrol"),
        (&enrol, 2, "plimsoll agent --help"),
        (&[&enrol[..], &["--token-file", "absent"]].concat(), 2, "plimsoll agent --help"),
        (&[&enrol[..], &["--token", "t"]].concat(), 69, "the server runs"),
    ] {
        let (code, out, said) = ended(&run(home.path(), words));
        assert_eq!((code, out.as_str()), (exit, ""), "{words:?}: {said}");
        assert!(said.contains(hint), "{words:?}: {said}");
        let (code, _, said) = ended(&run(home.path(), &[words, &["-o", "json"]].concat()));
        let last = told(said.lines().last().unwrap());
        assert_eq!((code, &last["exitCode"]), (exit, &Value::from(exit)), "{last}");
        assert!(last["error"]["hint"].as_str().unwrap().contains(hint), "{last}");
    }
}
