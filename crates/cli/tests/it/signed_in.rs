//! A person signs in by device code and works with names.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{Served, ended, plimsoll, run};

const PASSWORD: &str = "correct horse battery staple";

/// What a browser does, with `curl` as the browser: its jar is the file `jar`.
fn browse(home: &std::path::Path, url: &str, form: &[(&str, &str)]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "30", "-b", "jar", "-c", "jar"]).current_dir(home);
    for (name, value) in form {
        curl.arg("--data-urlencode").arg(format!("{name}={value}"));
    }
    let output = curl.arg(url).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn csrf(page: &str) -> &str {
    let rest = page.split_once("name=\"csrf\" value=\"").expect(page).1;
    rest.split_once('"').unwrap().0
}

#[test]
fn a_person_signs_in_and_works_with_names() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    std::fs::write(at.join("password"), PASSWORD).unwrap();
    let server = Served::start_with(at, &["--admin-password-file", "password"]);

    let mut login = plimsoll(at, &["login", &server.url]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(login.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (page, code) = (words[1], *words.last().unwrap());
    let device = format!("{}/oauth/device", server.url);
    let shown = browse(at, page, &[]);
    let fields = [("tenant", "default"), ("user", "admin"), ("password", PASSWORD), ("user_code", code)];
    let asked = browse(at, &device, &[&fields[..], &[("csrf", csrf(&shown))]].concat());
    let decision = [("user_code", code), ("decision", "approve"), ("csrf", csrf(&asked))];
    let done = browse(at, &format!("{device}/decision"), &decision);
    assert!(done.contains("let in"), "{done}");
    assert_eq!(login.wait().unwrap().code(), Some(0));

    let (code, out, said) = ended(&run(at, &["api", "GET", "/api/v1/components"]));
    assert_eq!(code, 0, "{said}");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["data"], Value::Array(Vec::new()));

    let (code, out, said) = ended(&run(at, &["env", "create", "--data", r#"{"name":"prod"}"#, "-o", "name"]));
    assert_eq!((code, out.trim()), (0, "prod"), "{said}");
    let (code, out, _) = ended(&run(at, &["env", "get", "prod", "-o", "json"]));
    assert_eq!(code, 0);
    let made: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(made["name"], "prod");
    let (code, out, _) = ended(&run(at, &["env", "list"]));
    assert!(code == 0 && out.starts_with("NAME") && out.contains("prod"), "{out}");

    let window = r#"{"name":"sale","reason":"sale","startsAt":"2030-01-01T00:00:00Z","endsAt":"2030-01-02T00:00:00Z"}"#;
    let (code, _, said) = ended(&run(at, &["freeze", "create", "prod", "--data", window]));
    assert_eq!(code, 0, "{said}");
    let (code, out, _) = ended(&run(at, &["freeze", "list", "prod", "--no-headers"]));
    assert!(code == 0 && out.starts_with("sale"), "{out}");
    assert_eq!(ended(&run(at, &["freeze", "delete", "prod", "sale"])).0, 0);

    let (code, _, said) = ended(&run(at, &["env", "create", "--data", r#"{"name":"prod"}"#]));
    assert_eq!(code, 9, "{said}");
    let (code, _, said) = ended(&run(at, &["env", "create", "--data", r#"{"nam":"x"}"#]));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("nam"), "{said}");
    let (code, _, said) = ended(&run(at, &["env", "get", "absent"]));
    assert_eq!(code, 2, "{said}");
    assert_eq!(ended(&run(at, &["promote", "shop@1.0.0", "--to", "prod"])).0, 2);
    assert_eq!(ended(&run(at, &["job", "list", "-o", "ndjson"])), (0, String::new(), String::new()));
    assert_eq!(ended(&run(at, &["env", "delete", "prod"])).0, 0);
    assert_eq!(ended(&run(at, &["logout"])).0, 0);
    assert_eq!(ended(&run(at, &["env", "list"])).0, 4);
}
