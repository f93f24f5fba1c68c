//! How the command line waits, ends and prints, over a promotion that waits for somebody to approve it.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    estate::{Database, Estate, Person, Plan, id, until, web},
    support::ended,
};

/// What is watched.
struct Waiting {
    ada: Person,
    grace: Person,
    promotion: String,
}

impl Waiting {
    /// `promotion watch` with these flags: exit code, output, errors.
    fn watch(&self, flags: &[&str]) -> (i32, String, String) {
        ended(&self.ada.cli(&[&["promotion", "watch", &self.promotion], flags].concat()))
    }

    /// The same in a terminal, whose one output is shown.
    fn in_terminal(&self, words: &[&str], colour: Option<&str>) -> (i32, String) {
        let line = format!("{} {}", env!("CARGO_BIN_EXE_plimsoll"), words.join(" "));
        let mut command = self.ada.command(&[]);
        let mut terminal = Command::new("script");
        terminal.args(["-qec", &line, "/dev/null"]).env_clear().envs(known(&command)).env("TERM", "xterm");
        terminal.envs(colour.map(|value| ("NO_COLOR", value))).current_dir(command.get_current_dir().unwrap());
        command = terminal;
        let (code, out, said) = ended(&command.stdin(Stdio::null()).output().unwrap());
        (code, out + &said)
    }
}

fn known(command: &Command) -> Vec<(String, String)> {
    let text = |one: &std::ffi::OsStr| one.to_str().unwrap().to_owned();
    command.get_envs().filter_map(|(name, value)| Some((text(name), text(value?)))).collect()
}

async fn estate() -> (Estate, Waiting) {
    let mut estate = Estate::new(Plan::on(Database::Sqlite)).await;
    let admin = estate.administrator().await;
    estate.push("api", "1.0.0", &[]).await;
    let hub = estate.hub(&admin).await;
    let ledger = estate.ledger("t1");
    estate.component(&admin, &hub, "api", web(ledger.to_str().unwrap())).await;
    let rule = json!({ "name": "one other", "minApprovals": 1, "approvers": { "roles": ["approver"] } });
    let policy = json!({ "name": "other", "rules": [rule], "reason": "a rule" });
    let policy = id(&admin.post("/approval-policies", &policy).await);
    let rules = json!({ "gates": [{ "type": "approval" }], "approvalPolicyId": policy, "reason": "a rule" });
    let prod = estate.environment(&admin, rules, "prod", None).await;
    let agent = estate.agent(&admin, "a1", None).await;
    estate.target(&admin, &prod, "t1", &agent, json!({})).await;
    let ada = estate.person(&admin, "ada", &["release_manager", "approver"]).await;
    let grace = estate.person(&admin, "grace", &["approver"]).await;
    estate.release(&ada, "shop", "1.0.0", &[("api", "1.0.0")]).await;

    // At once, and by name: its id.
    let made = ada.cli(&["promote", "shop@1.0.0", "--to", "prod", "--no-wait", "-o", "name"]);
    let promotion = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let path = format!("/promotions/{promotion}");
    until(&ada, &path, "waits for approval", |seen| seen["status"] == "awaiting_approval").await;
    (estate, Waiting { ada, grace, promotion })
}

fn waits_as_told(waiting: &Waiting) {
    let promotion = &waiting.promotion;
    for flags in [&["--wait"][..], &["--wait", "--until", "approval"], &["--wait", "--until", "terminal"]] {
        let (code, out, said) = waiting.watch(flags);
        assert_eq!(code, 8, "{flags:?}: {said}");
        assert!(said.contains("promotion awaiting_approval"), "{said}");
        assert!(said.contains(&format!("plimsoll approve {promotion}")), "{said}");
        assert!(out.contains("awaiting_approval") && out.contains("shop@1.0.0"), "{out}");
    }
    let (code, _, said) = waiting.watch(&["--no-wait"]);
    assert!(code == 8 && !said.contains("promotion awaiting_approval"), "nothing was waited for: {said}");

    let on = ["--wait", "--until", "succeeded", "--timeout", "1"];
    let (code, out, said) = waiting.watch(&on);
    assert!(code == 6 && out.contains("awaiting_approval"), "{code} {out}");
    assert!(said.contains("the time to wait is over; the work goes on"), "{said}");
    assert!(said.contains(&format!("plimsoll promotion watch {promotion}")), "{said}");
    assert!(said.contains(&format!("plimsoll promotion cancel {promotion}")), "{said}");
    let (code, out, said) = waiting.watch(&[&on[..], &["--quiet"]].concat());
    assert_eq!((code, said.as_str()), (6, ""), "{out}");
    let (code, out, said) = waiting.watch(&[&on[..], &["-o", "json"]].concat());
    assert_eq!((code, said.as_str()), (6, ""), "a program is told nothing but data");
    assert_eq!(serde_json::from_str::<Value>(&out).unwrap()["id"], promotion.as_str());
}

/// Ctrl-C leaves the work alone.
fn detaches(waiting: &Waiting) {
    let words = ["promotion", "watch", &waiting.promotion, "--wait", "--until", "succeeded"];
    let mut child = waiting.ada.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("promotion awaiting_approval") {
        line.clear();
        assert_ne!(errors.read_line(&mut line).unwrap(), 0, "it ended by itself");
    }
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let mut said = String::new();
    errors.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
    assert!(said.contains("detached; the work goes on"), "{said}");
    assert!(said.contains(&format!("watch it again: plimsoll promotion watch {}", waiting.promotion)), "{said}");
    assert!(said.contains(&format!("stop it:        plimsoll promotion cancel {}", waiting.promotion)), "{said}");
}

/// A terminal waits by itself, shows how it stands from the start, and has colours unless they are not wanted.
fn is_told_in_a_terminal(waiting: &Waiting) {
    let watch = ["promotion", "watch", &waiting.promotion, "--until", "succeeded", "--timeout", "1"];
    let (code, shown) = waiting.in_terminal(&watch, None);
    assert_eq!(code, 6, "{shown}");
    assert!(shown.contains("promotion awaiting_approval") && !shown.contains("0/0"), "{shown}");
    let (code, shown) = waiting.in_terminal(&["env", "get", "nowhere"], None);
    assert!(code == 2 && shown.contains("\u{1b}[1;31merror"), "{code} {shown:?}");
    let (code, shown) = waiting.in_terminal(&["env", "get", "nowhere"], Some("1"));
    assert!(code == 2 && shown.contains("error: there is no env") && !shown.contains('\u{1b}'), "{code} {shown:?}");
}

fn has_each_form(waiting: &Waiting) {
    let Waiting { ada, grace, promotion } = waiting;
    let get = |form: &str| ada.ok(&["promotion", "get", promotion, "-o", form]);
    let (table, wide) = (get("table"), get("wide"));
    assert!(table.starts_with("ID ") && !table.contains("JOB") && wide.contains("JOB"), "{table}{wide}");
    assert!(get("yaml").contains(&format!("id: {promotion}")), "{}", get("yaml"));
    let line = get("ndjson");
    assert_eq!((line.lines().count(), &serde_json::from_str::<Value>(&line).unwrap()["id"]), (1, &json!(promotion)));
    let json: Value = serde_json::from_str(&get("json")).unwrap();
    assert_eq!(json["status"], "awaiting_approval");

    // A name is one that other commands take.
    for (person, words, name) in [
        (ada, &["promotion", "get", promotion][..], promotion.as_str()),
        (grace, &["promotion", "pending"], promotion),
        (ada, &["release", "list"], "shop@1.0.0"),
        (ada, &["release", "get", "shop@1.0.0"], "shop@1.0.0"),
        (ada, &["agents", "list"], "a1"),
        (ada, &["agents", "get", "a1"], "a1"),
        (ada, &["target", "get", "prod/t1"], "t1"),
        (ada, &["component", "versions", "api"], "1.0.0"),
    ] {
        assert_eq!(person.ok(&[words, &["-o", "name"]].concat()).trim(), name, "{words:?}");
    }
    let (code, out, said) = ended(&ada.cli(&["promote", "shop@1.0.0", "--to", "prod", "--preview", "-o", "name"]));
    assert!((code, out.as_str()) == (2, "") && said.contains("has no name"), "{code} {out} {said}");
}

/// The key is the caller's own: a call that is sent again is not done again.
fn sends_the_callers_key(admin: &Person) {
    let words = ["api", "POST", "environments", "--data", r#"{"name":"dev"}"#, "-H", "idempotency-key: once-only-1"];
    let (first, again) = (admin.ok(&words), admin.ok(&words));
    let id = |text: &str| serde_json::from_str::<Value>(text).unwrap()["data"]["id"].clone();
    assert!(id(&first).is_string());
    assert_eq!(id(&first), id(&again));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_ends_as_it_was_told() {
    let (estate, waiting) = estate().await;
    waits_as_told(&waiting);
    detaches(&waiting);
    is_told_in_a_terminal(&waiting);
    has_each_form(&waiting);
    sends_the_callers_key(&estate.administrator().await);

    // Nobody approves their own; somebody else does, and it goes on to its end.
    let Waiting { ada, grace, promotion } = &waiting;
    assert_eq!(ended(&ada.cli(&["approve", promotion])).0, 3);
    grace.ok(&["approve", promotion, "--comment", "looked at it"]);
    let (code, out, said) = waiting.watch(&["--wait", "--until", "succeeded"]);
    assert!(code == 0 && out.contains("deployed"), "{code} {out} {said}");
    let places = ada.ok(&["release", "state", "shop@1.0.0", "-o", "name"]);
    assert!(places.lines().any(|one| one == "prod"), "{places}");
    assert_eq!(ada.ok(&["sticker", "read", "prod/t1", "-o", "name"]).trim(), "shop");

    // What was refused is told by its own code, waited for or not.
    let again = ada.cli(&["promote", "shop@1.0.0", "--to", "prod", "--redeploy", "--wait", "-o", "name"]);
    let (code, second, said) = ended(&again);
    assert_eq!(code, 8, "{said}");
    grace.ok(&["reject", second.trim(), "--comment", "not again"]);
    for flag in ["--wait", "--no-wait"] {
        assert_eq!(ended(&ada.cli(&["promotion", "watch", second.trim(), flag])).0, 3);
    }
}
