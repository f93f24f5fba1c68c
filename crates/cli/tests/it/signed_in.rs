//! A person signs in by device code and works with names.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::Stdio,
};

use serde_json::Value;

use crate::support::{Served, ended, plimsoll, run};

const PASSWORD: &str = "correct horse battery staple";

/// A browser with one cookie.
struct Browser {
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    cookie: String,
}

impl Browser {
    /// One that trusts this certificate, where the server has one.
    fn new(certificate: Option<&Path>) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let trusted = certificate.map(|path| reqwest::Certificate::from_pem(&std::fs::read(path).unwrap()).unwrap());
        let http = reqwest::Client::builder().no_proxy().tls_certs_merge(trusted).build().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { http, runtime, cookie: String::new() }
    }

    /// Opens a page, or sends a form to it.
    fn visit(&mut self, url: &str, form: &[(&str, &str)]) -> String {
        let request = if form.is_empty() { self.http.get(url) } else { self.http.post(url).form(form) };
        let request = request.header("Cookie", &self.cookie);
        let (cookie, page) = self.runtime.block_on(async {
            let response = request.send().await.unwrap();
            let cookie = response.headers().get("set-cookie").map(|value| value.to_str().unwrap().to_owned());
            (cookie, response.text().await.unwrap())
        });
        if let Some(cookie) = cookie {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        page
    }
}

fn csrf(page: &str) -> &str {
    let rest = page.split_once("name=\"csrf\" value=\"").expect(page).1;
    rest.split_once('"').unwrap().0
}

/// A new server, and its administrator signed in to it by device code.
pub fn signed_in(at: &Path, flags: &[&str], certificate: Option<&Path>) -> Served {
    std::fs::write(at.join("password"), PASSWORD).unwrap();
    let server = Served::start_with(at, &[&["--admin-password-file", "password"], flags].concat());
    let mut login = plimsoll(at, &["login", &server.url]);
    if let Some(path) = certificate {
        login.env("SSL_CERT_FILE", path);
    }
    let mut login = login.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(login.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let (page, code) = (words[1], *words.last().unwrap());
    let device = format!("{}/oauth/device", server.url);
    let mut browser = Browser::new(certificate);
    let shown = browser.visit(page, &[]);
    let fields = [("tenant", "default"), ("user", "admin"), ("password", PASSWORD), ("user_code", code)];
    let asked = browser.visit(&device, &[&fields[..], &[("csrf", csrf(&shown))]].concat());
    let decision = [("user_code", code), ("decision", "approve"), ("csrf", csrf(&asked))];
    let done = browser.visit(&format!("{device}/decision"), &decision);
    assert!(done.contains("let in"), "{done}");
    assert_eq!(login.wait().unwrap().code(), Some(0));
    server
}

#[test]
fn a_person_signs_in_and_works_with_names() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let _server = signed_in(at, &[], None);

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

    // What help tells to type is taken by the server.
    for (words, line) in [
        (&["api"][..], "plimsoll api GET /api/v1/components"),
        (&["api"], "plimsoll api POST environments --data '{\"name\":\"dev\"}'"),
        (&["env", "create"], "plimsoll env create --data '{\"name\":\"staging\"}'"),
        (&["freeze", "create"], "plimsoll freeze create prod --file sale.yaml"),
        (&["integration", "create"], "plimsoll integration create --file hub.yaml"),
    ] {
        let help = ended(&run(at, &[words, &["--help"]].concat())).1;
        let found = help.lines().map(str::trim).find(|one| one.starts_with(line));
        let found = found.unwrap_or_else(|| panic!("no {line:?} in {help}"));
        // A file that is shown there is as it should be.
        if let Some(name) = found.split_once("--file ").map(|(_, name)| name) {
            let shown = help.split_once(&format!("{name}:\n")).expect(&help).1;
            let content: Vec<&str> = shown.lines().take_while(|line| line.starts_with(' ')).collect();
            std::fs::write(at.join(name), content.join("\n")).unwrap();
        }
        let typed = found.replacen("plimsoll", env!("CARGO_BIN_EXE_plimsoll"), 1);
        let shell = std::process::Command::new("sh")
            .args(["-c", &typed])
            .env_clear()
            .env("HOME", at)
            .current_dir(at)
            .output()
            .unwrap();
        assert_eq!(ended(&shell).0, 0, "{typed}: {}", ended(&shell).2);
    }
    let (code, _, said) = ended(&run(at, &["freeze", "delete", "prod", "sale"]));
    assert_eq!(code, 0, "{said}");

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
