//! What shells complete, and the manual pages.

use std::{path::Path, process::Command};

use serde_json::json;

use crate::{
    estate::{Database, Estate, Person, Plan, web},
    support::{ended, run},
};

/// What Bash offers after these words, of which the last is begun.
fn offered(person: &Person, words: &[&str]) -> Vec<String> {
    let last = words.last().unwrap();
    let script = format!(
        "source <(plimsoll completion bash); COMP_WORDS=(plimsoll {}); COMP_CWORD={}; \
         _clap_complete_plimsoll plimsoll '{last}' 2>&1; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" "),
        words.len()
    );
    let known = person.command(&[]);
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-c", &script]).env_clear();
    shell.envs(known.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let program = Path::new(env!("CARGO_BIN_EXE_plimsoll")).parent().unwrap().to_str().unwrap();
    let output = shell.env("PATH", format!("{program}:{}", std::env::var("PATH").unwrap())).output().unwrap();
    let (code, out, said) = ended(&output);
    assert_eq!((code, said.as_str()), (0, ""), "{out}");
    out.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shell_offers_the_names_that_the_server_has_now() {
    let mut estate = Estate::new(Plan::on(Database::Sqlite)).await;
    let admin = estate.administrator().await;
    estate.push("api", "1.0.0", &[]).await;
    let hub = estate.hub(&admin).await;
    let ledger = estate.ledger("t1");
    estate.component(&admin, &hub, "api", web(ledger.to_str().unwrap())).await;
    let prod = estate.environment(&admin, json!({}), "prod", None).await;
    estate.environment(&admin, json!({}), "staging", None).await;
    let agent = estate.agent(&admin, "a1", None).await;
    estate.target(&admin, &prod, "t1", &agent, json!({})).await;
    estate.release(&admin, "shop", "1.0.0", &[("api", "1.0.0")]).await;
    admin.ok(&["context", "set", "home", &estate.url]);
    for (words, names) in [
        (&["env", "get", ""][..], &["prod", "staging"][..]),
        (&["env", "get", "pr"], &["prod"]),
        (&["promote", "sh"], &["shop@1.0.0"]),
        (&["promote", "shop@1.0.0", "--to", "s"], &["staging"]),
        (&["release", "state", "shop@1"], &["shop@1.0.0"]),
        (&["component", "sync", "a"], &["api"]),
        (&["integration", "test", "h"], &["hub"]),
        (&["target", "get", "pr"], &["prod/t1"]),
        (&["agents", "get", "a"], &["a1"]),
        (&["context", "use", "h"], &["home"]),
        (&["compl"], &["completion"]),
    ] {
        let found = offered(&admin, words);
        let found: Vec<&str> = found.iter().map(String::as_str).filter(|one| !one.starts_with('-')).collect();
        assert_eq!(found, names, "{words:?}");
    }
    // Where nobody answers, nothing is offered and nothing is said.
    estate.server().kill().unwrap();
    assert_eq!(offered(&admin, &["env", "get", "pr"]), Vec::<String>::new());
}

#[test]
fn there_is_a_script_for_each_shell_and_a_page_for_each_command() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let (code, out, said) = ended(&run(home.path(), &["completion", shell]));
        assert!(code == 0 && out.contains("PLIMSOLL_COMPLETE") && said.is_empty(), "{shell}: {out} {said}");
    }
    let (code, out, said) = ended(&run(home.path(), &["completion", "man", "--dir", "man"]));
    assert_eq!((code, out.as_str()), (0, ""), "{said}");
    let page = |name: &str| std::fs::read_to_string(home.path().join("man/man1").join(name)).unwrap();
    assert!(page("plimsoll.1").contains("plimsoll\\-promote(1)"), "{}", page("plimsoll.1"));
    let promote = page("plimsoll-promote.1");
    for part in [".SH SYNOPSIS", ".SH EXAMPLES", "shop@2.4.1 \\-\\-to prod", "\\-\\-preview"] {
        assert!(promote.contains(part), "no {part} in {promote}");
    }
    assert!(page("plimsoll-component-sync.1").contains(".SH NAME"));
    assert!(!home.path().join("man/man1/plimsoll-supervise.1").exists());
}
