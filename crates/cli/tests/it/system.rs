//! The whole product on real parts: two Docker hosts in networks of their own, a registry, four people, three
//! environments, either database. The oracle is each engine, asked through its own socket, and the files on
//! the hosts; never our API.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use plimsoll_testkit::{ContainerHost, Engine, TestNetwork};
use serde_json::{Value, json};

use crate::{
    estate::{Database, Estate, Person, Plan, breath, id, until, web},
    proof,
};

/// The targets: name, environment, host.
const TARGETS: [(&str, &str, usize); 6] = [
    ("dev-1", "dev", 0),
    ("staging-1", "staging", 1),
    ("prod-1", "prod", 0),
    ("prod-2", "prod", 1),
    ("prod-3", "prod", 0),
    ("prod-4", "prod", 1),
];
const PROD: [&str; 4] = ["prod-1", "prod-2", "prod-3", "prod-4"];

struct Site {
    estate: Estate,
    // Dropped after the server and its agents.
    hosts: Vec<ContainerHost>,
    admin: Person,
    /// Asks for promotions, and may approve those of others.
    requester: Person,
    approvers: [Person; 2],
    environments: BTreeMap<&'static str, String>,
    targets: BTreeMap<&'static str, String>,
    digests: BTreeMap<String, String>,
    _network: TestNetwork,
}

impl Site {
    async fn build(database: Database) -> Self {
        let network = TestNetwork::new().unwrap();
        let hosts = ContainerHost::start_several(&network, Engine::Docker, 2).unwrap();
        let plan = Plan { address: network.gateway(), lease_seconds: 30, ..Plan::on(database) };
        let mut estate = Estate::new(plan).await;
        let admin = estate.administrator().await;
        let requester = estate.person(&admin, "ben", &["release_manager", "operator", "approver", "auditor"]).await;
        let approvers = [
            estate.person(&admin, "grace", &["approver", "viewer"]).await,
            estate.person(&admin, "linus", &["approver", "viewer"]).await,
        ];
        let mut digests = BTreeMap::new();
        for (component, version) in [
            ("api", "1.0.0"),
            ("api", "1.1.0"),
            ("api", "1.2.0"),
            ("bill", "1.0.0"),
            ("gate", "1.0.0"),
            ("gate", "1.1.0"),
        ] {
            let digest = estate.push(component, version, &[]).await;
            digests.insert(format!("{component}:{version}"), digest.to_string());
        }
        let hub = estate.hub(&admin).await;
        for name in ["api", "bill"] {
            estate.component(&admin, &hub, name, container()).await;
        }
        let mut fixed = container();
        fixed["ports"] = json!([{ "container": 8080, "publish": 18080 }]);
        fixed["switch"] = json!("recreate");
        estate.component(&admin, &hub, "gate", fixed).await;

        let rule = json!({ "name": "two-others", "minApprovals": 2, "approvers": { "roles": ["approver"] } });
        let policy = id(&admin.post("/approval-policies", &json!({ "name": "two", "rules": [rule] })).await);
        let mut environments = BTreeMap::new();
        let dev = estate.environment(&admin, json!({}), "dev", None).await;
        let gates = json!([{ "type": "promotion_path" }, { "type": "freeze_window" }, { "type": "release_status" }]);
        let staging = estate.environment(&admin, json!({ "gates": gates }), "staging", Some(&dev)).await;
        let prod = estate.environment(&admin, prod_rules(&policy), "prod", Some(&staging)).await;
        environments.extend([("dev", dev), ("staging", staging), ("prod", prod)]);

        let mut agents = Vec::new();
        for (index, host) in hosts.iter().enumerate() {
            agents.push(estate.agent(&admin, &format!("agent-{index}"), Some(host.host())).await);
        }
        let mut targets = BTreeMap::new();
        for (name, environment, host) in TARGETS {
            let connection = json!({
                "socket": hosts[host].socket(), "advertiseAddress": hosts[host].address(),
                "deploymentDirectory": estate.folder().join(format!("deployed-{name}")),
            });
            let labels = json!({ "ring": if name == "prod-3" { "late" } else { "early" } });
            let body = json!({
                "environmentId": environments[environment], "name": name, "type": "docker_host", "labels": labels,
                "agentId": agents[host], "connection": connection,
            });
            let target = id(&admin.post("/targets", &body).await);
            let report = admin.post(&format!("/targets/{target}/health-check"), &json!({})).await;
            assert_eq!(report["status"], "healthy", "{report}");
            targets.insert(name, target);
        }
        Self { estate, hosts, admin, requester, approvers, environments, targets, digests, _network: network }
    }

    /// Cuts and seals a release of one component, by the command line.
    fn cut(&self, application: &str, component: &str, version: &str) {
        let (release, image) = (format!("{application}@{version}"), format!("{component}:{version}"));
        self.requester.ok(&["release", "create", &release, &image, "--finalize"]);
    }

    /// Promotes by the command line and waits; it must get there.
    fn promote(&self, release: &str, to: &str) -> Value {
        let out = self.requester.ok(&["promote", release, "--to", to, "--wait", "--timeout", "120", "-o", "json"]);
        let promotion: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(promotion["status"], "deployed", "{promotion}");
        promotion
    }

    /// Promotes into prod with the approvals of two others.
    async fn promote_to_prod(&self, release: &str) -> Value {
        let output = self.requester.cli(&["promote", release, "--to", "prod", "--wait", "-o", "json"]);
        assert_eq!(output.status.code(), Some(8), "it waits for approval: {}", String::from_utf8_lossy(&output.stderr));
        let promotion: Value = serde_json::from_slice(&output.stdout).unwrap();
        self.approve(&id(&promotion));
        self.settled(&id(&promotion)).await
    }

    fn approve(&self, promotion: &str) {
        for approver in &self.approvers {
            approver.ok(&["approve", promotion, "--comment", "looked at it"]);
        }
    }

    async fn settled(&self, promotion: &str) -> Value {
        let open = ["evaluating", "blocked", "awaiting_approval", "scheduled", "approved", "deploying"];
        let path = format!("/promotions/{promotion}");
        until(&self.requester, &path, "is settled", |seen| !open.iter().any(|one| seen["status"] == *one)).await
    }

    fn host_of(&self, target: &str) -> &ContainerHost {
        let (.., host) = TARGETS.iter().find(|(name, ..)| *name == target).unwrap();
        &self.hosts[*host]
    }

    /// What the engine of a target runs of a component, as the engine says: (container, image, started).
    fn runs(&self, target: &str, component: &str) -> Vec<(String, String, String)> {
        let engine = self.host_of(target);
        let target = format!("label=plimsoll.target={}", self.targets[target]);
        let component = format!("label=plimsoll.component={component}");
        let ids = engine.cli(&["ps", "-q", "--no-trunc", "--filter", &target, "--filter", &component]).unwrap();
        let format = "{{.Id}} {{.Config.Image}} {{.State.StartedAt}}";
        ids.lines()
            .map(|id| {
                let seen = engine.cli(&["inspect", "--format", format, id]).unwrap();
                let words: Vec<&str> = seen.split(' ').collect();
                (words[0].to_owned(), words[1].to_owned(), words[2].to_owned())
            })
            .collect()
    }

    /// The engines run exactly this version of the component on these targets, once each.
    #[track_caller]
    fn assert_runs(&self, targets: &[&str], component: &str, version: &str) {
        let digest = &self.digests[&format!("{component}:{version}")];
        for target in targets {
            let seen = self.runs(target, component);
            assert_eq!(seen.len(), 1, "{component} on {target}: {seen:?}");
            assert!(
                seen[0].1.ends_with(&format!("@{digest}")),
                "{component} on {target} runs {}, not {digest}",
                seen[0].1
            );
        }
    }

    /// Where a target's component answers, as our API says; what answers there is asked directly.
    async fn endpoint(&self, target: &str) -> String {
        let seen = self.admin.get(&format!("/targets/{}", self.targets[target])).await;
        let all = seen["endpoints"].as_array().unwrap_or_else(|| panic!("{seen}"));
        let one = all.iter().find(|one| one["component"] == "api").unwrap_or_else(|| panic!("{seen}"));
        one["address"].as_str().unwrap().to_owned()
    }

    async fn answers(&self, target: &str) -> String {
        let url = format!("http://{}/version", self.endpoint(target).await);
        self.estate.http.get(url).send().await.unwrap().text().await.unwrap().trim().to_owned()
    }

    /// Each target's sticker lies on its host and verifies there, by the command line and by openssl.
    fn check_stickers(&self, targets: &[&str], application: &str, version: &str) {
        let key = self.key();
        for target in targets {
            let place = format!("deployed-{target}/{}/{application}.plimsoll.json", self.targets[target]);
            let file = self.estate.folder().join(place);
            let said = self.admin.ok(&["sticker", "verify", file.to_str().unwrap(), "--key", key.to_str().unwrap()]);
            assert!(said.contains(version), "the sticker on {target}: {said}");
            proof::openssl(&file, &key).unwrap();
        }
    }

    /// The public key, as somebody would keep it who verifies.
    fn key(&self) -> PathBuf {
        let path = self.estate.folder().join("key.pem");
        std::fs::write(&path, self.admin.ok(&["evidence", "key"])).unwrap();
        path
    }
}

/// How the components run: containers with an `auto` port.
fn container() -> Value {
    let mut runtime = web("/ledger");
    runtime["environment"] = json!({});
    runtime
}

fn prod_rules(policy: &str) -> Value {
    json!({
        "approvalPolicyId": policy,
        "gates": [{ "type": "freeze_window" }, { "type": "promotion_path" }, { "type": "release_status" }, { "type": "approval" }],
        "strategy": { "type": "rolling", "batchSize": 1 },
    })
}

/// Asks an address ten times a second until it is told to stop; answers how often, and what failed.
struct Client {
    stop: Arc<AtomicBool>,
    failed: Arc<Mutex<Vec<String>>>,
    task: tokio::task::JoinHandle<usize>,
}

impl Client {
    fn start(http: reqwest::Client, address: String, version: &'static str) -> Self {
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (ended, seen) = (Arc::clone(&stop), Arc::clone(&failed));
        let task = tokio::spawn(async move {
            let mut asked = 0;
            while !ended.load(Ordering::SeqCst) {
                breath().await;
                asked += 1;
                let answer = match http.get(format!("http://{address}/version")).send().await {
                    Ok(answer) => answer.text().await.unwrap_or_else(|cause| cause.to_string()),
                    Err(cause) => format!("{cause:?}"),
                };
                if answer.trim() != version {
                    seen.lock().unwrap().push(answer);
                }
            }
            asked
        });
        Self { stop, failed, task }
    }

    async fn check(self) {
        self.stop.store(true, Ordering::SeqCst);
        let asked = self.task.await.unwrap();
        let failed = self.failed.lock().unwrap().clone();
        assert!(failed.is_empty(), "{} of {asked} requests failed: {failed:?}", failed.len());
        assert!(asked >= 10, "the client asked only {asked} times");
    }
}

async fn the_whole_story(database: Database) {
    let site = Site::build(database).await;
    // A second application runs beside the first in each environment, and is left alone by all that follows.
    site.cut("billing", "bill", "1.0.0");
    for environment in ["dev", "staging"] {
        site.promote("billing@1.0.0", environment);
    }
    assert_eq!(site.promote_to_prod("billing@1.0.0").await["status"], "deployed");
    let all: Vec<&str> = TARGETS.iter().map(|(name, ..)| *name).collect();
    site.assert_runs(&all, "bill", "1.0.0");
    let billing: Vec<_> = all.iter().map(|target| site.runs(target, "bill")).collect();

    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        site.cut("shop", "api", version);
    }
    first_release(&site).await;
    second_release(&site).await;
    bad_release_is_put_back(&site).await;
    rollback_of_the_whole_set(&site).await;
    fixed_port_has_a_gap(&site).await;
    site.check_stickers(&PROD, "shop", "1.0.0");
    evidence_verifies_offline(&site).await;

    let after: Vec<_> = all.iter().map(|target| site.runs(target, "bill")).collect();
    assert_eq!(after, billing, "the second application was touched");
}

/// Past a freeze, a refused self-approval and two approvals, onto four targets.
async fn first_release(site: &Site) {
    // The path is kept: not into staging before dev.
    let output = site.requester.cli(&["promote", "shop@1.0.0", "--to", "staging", "--wait", "--timeout", "30"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let open = site.requester.get("/promotions?sort=-createdAt&pageSize=1").await;
    site.requester.ok(&["promotion", "cancel", &id(&open[0])]);

    site.promote("shop@1.0.0", "dev");
    site.assert_runs(&["dev-1"], "api", "1.0.0");
    site.promote("shop@1.0.0", "staging");
    site.assert_runs(&["staging-1"], "api", "1.0.0");

    let window = json!({
        "name": "sale", "reason": "the sale runs", "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
    });
    site.requester.ok(&["freeze", "create", "prod", "--data", &window.to_string()]);
    let output =
        site.requester.cli(&["promote", "shop@1.0.0", "--to", "prod", "--wait", "--timeout", "60", "-o", "json"]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let promotion: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(promotion["status"], "blocked", "{promotion}");
    let path = format!("/promotions/{}", id(&promotion));
    site.admin.ok(&["freeze", "delete", "prod", "sale", "--reason", "the sale is over"]);
    let waiting =
        until(&site.requester, &path, "waits for approval", |seen| seen["status"] == "awaiting_approval").await;

    let own = json!({ "subjectHash": waiting["subjectHash"] });
    let (status, code) = site.requester.refused(&format!("{path}/approve"), &own).await;
    assert_eq!((status, code.as_str()), (403, "SEPARATION_OF_DUTIES"), "nobody approves what they asked for");
    site.assert_runs(&["staging-1"], "api", "1.0.0");
    assert!(PROD.iter().all(|target| site.runs(target, "api").is_empty()), "nothing came to prod before its approval");

    site.approve(&id(&promotion));
    let done = site.settled(&id(&promotion)).await;
    assert_eq!(done["status"], "deployed", "{done}");
    site.assert_runs(&PROD, "api", "1.0.0");
    for target in PROD {
        assert_eq!(site.answers(target).await, "1.0.0");
    }
    site.check_stickers(&PROD, "shop", "1.0.0");
}

async fn second_release(site: &Site) {
    for environment in ["dev", "staging"] {
        site.promote("shop@1.1.0", environment);
    }
    let done = site.promote_to_prod("shop@1.1.0").await;
    assert_eq!(done["status"], "deployed", "{done}");
    site.assert_runs(&PROD, "api", "1.1.0");
    site.check_stickers(&PROD, "shop", "1.1.0");
    // One target after the other: no two tasks overlap.
    let job = done["deploymentJobId"].as_str().unwrap();
    let tasks = site.requester.get(&format!("/deployment-jobs/{job}/tasks?pageSize=100")).await;
    let mut spans: Vec<(&str, &str)> = tasks
        .as_array()
        .unwrap()
        .iter()
        .map(|task| (task["startedAt"].as_str().unwrap(), task["finishedAt"].as_str().unwrap()))
        .collect();
    spans.sort_unstable();
    assert_eq!(spans.len(), PROD.len());
    assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "tasks overlap: {spans:?}");
}

/// A version that is good in staging and never becomes healthy on the third target of prod.
async fn bad_release_is_put_back(site: &Site) {
    for environment in ["dev", "staging"] {
        site.promote("shop@1.2.0", environment);
    }
    let prod = &site.environments["prod"];
    let mut rules = site.admin.get(&format!("/environments/{prod}")).await;
    let scoped = json!([{ "targetLabels": { "ring": "late" }, "variables": { "UNHEALTHY": "1" } }]);
    let kept = ["name", "orderIndex", "promotesFrom", "approvalPolicyId", "gates", "strategy", "timezone"];
    let mut body: serde_json::Map<String, Value> =
        kept.iter().filter_map(|key| rules.get_mut(*key).map(|value| ((*key).to_owned(), value.take()))).collect();
    body.insert("scopedVariables".to_owned(), scoped);
    body.insert("reason".to_owned(), json!("the late ring gets its setting"));
    let (status, answer) =
        site.admin.call("PUT", &format!("/environments/{prod}"), Some(&Value::Object(body))).await.unwrap();
    assert_eq!(status, 200, "{answer}");

    let before: Vec<_> = ["prod-3", "prod-4"].iter().map(|target| site.runs(target, "api")).collect();
    let mut clients = Vec::new();
    for target in ["prod-3", "prod-4"] {
        clients.push(Client::start(site.estate.http.clone(), site.endpoint(target).await, "1.1.0"));
    }
    let done = site.promote_to_prod("shop@1.2.0").await;
    assert_eq!(done["status"], "rolled_back", "{done}");
    for client in clients {
        client.check().await;
    }
    site.assert_runs(&PROD, "api", "1.1.0");
    let after: Vec<_> = ["prod-3", "prod-4"].iter().map(|target| site.runs(target, "api")).collect();
    assert_eq!(after, before, "the old containers themselves kept serving");
    for target in PROD {
        assert_eq!(site.answers(target).await, "1.1.0", "{target}");
    }
    let job = done["deploymentJobId"].as_str().unwrap();
    let tasks = site.requester.get(&format!("/deployment-jobs/{job}/tasks?pageSize=100")).await;
    let of = |target: &str, kind: &str| {
        let found = tasks.as_array().unwrap().iter().find(|one| one["targetName"] == target && one["kind"] == kind);
        found.map(|task| task["status"].as_str().unwrap().to_owned())
    };
    assert_eq!(of("prod-3", "forward").as_deref(), Some("failed"), "{tasks}");
    assert_eq!(of("prod-1", "rollback").as_deref(), Some("succeeded"), "{tasks}");
    assert_eq!(of("prod-4", "rollback"), None, "what was not changed is not touched: {tasks}");
    site.check_stickers(&PROD, "shop", "1.1.0");
}

async fn rollback_of_the_whole_set(site: &Site) {
    let arguments = ["rollback", "shop", "--env", "prod", "--reason", "it loses orders", "--wait", "--timeout", "120"];
    site.requester.ok(&arguments);
    site.assert_runs(&PROD, "api", "1.0.0");
    site.assert_runs(&["staging-1"], "api", "1.2.0");
    for target in PROD {
        assert_eq!(site.answers(target).await, "1.0.0", "{target}");
    }
}

/// A fixed port can be held by one container alone: `recreate`, and the task says how long nothing answered.
async fn fixed_port_has_a_gap(site: &Site) {
    for version in ["1.0.0", "1.1.0"] {
        site.cut("door", "gate", version);
    }
    site.promote("door@1.0.0", "dev");
    let address = format!("http://{}:18080/version", site.host_of("dev-1").address());
    let ask = async || site.estate.http.get(&address).send().await.unwrap().text().await.unwrap().trim().to_owned();
    assert_eq!(ask().await, "1.0.0");
    let done = site.promote("door@1.1.0", "dev");
    assert_eq!(ask().await, "1.1.0");
    let job = done["deploymentJobId"].as_str().unwrap();
    let tasks = site.requester.get(&format!("/deployment-jobs/{job}/tasks")).await;
    let gap = tasks[0]["components"][0]["downtimeMs"].as_u64();
    assert!(gap.is_some_and(|gap| gap > 0), "the gap is reported: {tasks}");
}

/// Every packet verifies by programs that share no code; one changed byte, and none of them takes it.
async fn evidence_verifies_offline(site: &Site) {
    let key = site.key();
    let packets = until(&site.requester, "/evidence-packets?pageSize=100", "are all signed", |seen| {
        seen.as_array().is_some_and(|all| all.iter().all(|one| one["status"] == "signed"))
    })
    .await;
    let packets = packets.as_array().unwrap();
    let kinds: std::collections::BTreeSet<&str> = packets.iter().filter_map(|one| one["type"].as_str()).collect();
    assert!(
        ["promotion_decision", "deployment", "rollback", "governance_change"].iter().all(|kind| kinds.contains(kind)),
        "{kinds:?}"
    );
    let folder = site.estate.folder().join("packets");
    std::fs::create_dir(&folder).unwrap();
    for packet in packets {
        let file = folder.join(format!("{}.json", id(packet)));
        let output = site.requester.cli(&["evidence", "download", &id(packet)]);
        std::fs::write(&file, &output.stdout).unwrap();
        for verify in proof::ALL {
            verify(&file, &key).unwrap_or_else(|cause| panic!("{packet}: {cause}"));
        }
    }
    let first_of = |kind: &str| packets.iter().find(|one| one["type"] == kind).unwrap();
    let of_each: Vec<&Value> = kinds.iter().map(|kind| first_of(kind)).collect();
    let bytes: Vec<Vec<u8>> =
        of_each.iter().map(|one| std::fs::read(folder.join(format!("{}.json", id(one)))).unwrap()).collect();
    // The end of an id is random, and another one in each run.
    let seed = u64::from_str_radix(&id(of_each[0]).replace('-', "")[16..], 16).unwrap();
    proof::refuse_each_changed_byte(&bytes, seed, &folder, &key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_on_sqlite() {
    the_whole_story(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_on_postgres() {
    the_whole_story(Database::Postgres).await;
}
