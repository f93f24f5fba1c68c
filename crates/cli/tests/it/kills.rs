//! The server and the agent, killed at each named point, on both databases. What is true afterwards is asked
//! outside the product: of the application's own file on its host, and of what the callers were told.

use std::{
    collections::BTreeMap,
    os::unix::process::ExitStatusExt as _,
    time::{Duration, Instant},
};

use plimsoll_testkit::{PATIENCE, eventually, eventually_async};
use serde_json::{Value, json};

use crate::estate::{Database, Estate, Person, Plan, breath, id, until, web};

const TARGETS: [&str; 2] = ["t1", "t2"];
/// SIGABRT: how a fail point ends its process.
const ABORTED: Option<i32> = Some(6);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Server,
    Agent,
}

/// One application on two targets, and two people who must agree.
struct Kill {
    estate: Estate,
    requester: Person,
    approver: Person,
    environment: String,
    releases: Vec<String>,
    digests: Vec<String>,
    victim: Victim,
    /// Whether the victim died at its point, and runs again without one.
    died: bool,
    /// When it did.
    died_at: Option<Instant>,
    /// Calls that were answered, by their Idempotency-Key, and the id in the answer.
    told: BTreeMap<String, (String, String)>,
}

impl Kill {
    async fn prepare(database: Database, victim: Victim) -> Self {
        let mut estate = Estate::new(Plan::on(database)).await;
        let requester = estate.administrator().await;
        let approver = estate.person(&requester, "grace", &["approver", "viewer"]).await;
        let mut digests = Vec::new();
        for version in ["1.0.0", "1.1.0"] {
            digests.push(estate.push("api", version, &[]).await.to_string());
        }
        let hub = estate.hub(&requester).await;
        for target in TARGETS {
            estate.ledger(target);
        }
        let ledger = estate.folder().join("ledger-${{ target.name }}");
        estate.component(&requester, &hub, "api", web(ledger.to_str().unwrap())).await;
        let rule = json!({ "name": "one", "minApprovals": 1, "approvers": { "roles": ["approver"] } });
        let policy = requester.post("/approval-policies", &json!({ "name": "one-other", "rules": [rule] })).await;
        let rules = json!({
            "approvalPolicyId": id(&policy),
            "gates": [{ "type": "approval" }],
            "strategy": { "type": "all_at_once", "watchSeconds": 1 },
        });
        let environment = estate.environment(&requester, rules, "prod", None).await;
        let agent = estate.agent(&requester, "a1", None).await;
        for target in TARGETS {
            estate.target(&requester, &environment, target, &agent, json!({})).await;
        }
        let mut releases = Vec::new();
        for version in ["1.0.0", "1.1.0"] {
            releases.push(estate.release(&requester, "shop", version, &[("api", version)]).await);
        }
        let (died, died_at, told) = (true, None, BTreeMap::new());
        Self { estate, requester, approver, environment, releases, digests, victim, died, died_at, told }
    }

    /// Starts the victim again, to die at `point`.
    async fn arm(&mut self, point: &str) {
        match self.victim {
            Victim::Server => {
                self.estate.server().kill().unwrap();
                self.estate.start_server(Some(point)).await;
            }
            Victim::Agent => {
                self.estate.agents[0].running().kill().unwrap();
                self.estate.start_agent(0, Some(point));
            }
        }
        self.died = false;
    }

    /// Starts the victim again if it died by itself.
    async fn revive(&mut self) {
        let ended = match self.victim {
            Victim::Server => self.estate.server().ended().unwrap(),
            Victim::Agent => self.estate.agents[0].running().ended().unwrap(),
        };
        let Some(status) = ended else { return };
        assert_eq!(status.signal(), ABORTED, "{:?} ended by itself", self.victim);
        assert!(!self.died, "{:?} ended twice", self.victim);
        self.died = true;
        self.died_at = Some(Instant::now());
        match self.victim {
            Victim::Server => self.estate.start_server(None).await,
            Victim::Agent => self.estate.start_agent(0, None),
        }
    }

    /// Calls until there is an answer, always under the same key. What is answered must stay true.
    async fn insist(&mut self, person: &Person, path: &str, body: &Value, key: &str) -> Value {
        for _ in 0..100 {
            match person.post_once(path, body, key).await {
                Ok((200..=299, body)) => {
                    let answer = body["data"].clone();
                    self.told.insert(key.to_owned(), (path.to_owned(), id(&answer)));
                    return answer;
                }
                Ok((409, body)) if body["error"]["code"] == "REQUEST_IN_PROGRESS" => breath().await,
                Ok(refused) => panic!("{path}: {refused:?}"),
                Err(_) => {
                    breath().await;
                    self.revive().await;
                }
            }
        }
        panic!("{path} was never answered");
    }

    /// Brings a release in; answers the job when it ended.
    async fn promote(&mut self, release: usize, key: &str) -> Value {
        let (requester, approver) = (self.requester.clone(), self.approver.clone());
        let body = json!({ "releaseId": self.releases[release], "targetEnvironmentId": self.environment });
        let asked = self.insist(&requester, "/promotions", &body, key).await;
        let path = format!("/promotions/{}", id(&asked));
        let waiting = self.wait(&path, |seen| seen["status"] == "awaiting_approval").await;
        let yes = json!({ "subjectHash": waiting["subjectHash"] });
        self.insist(&approver, &format!("{path}/approve"), &yes, &format!("{key}-yes")).await;
        let started = self.wait(&path, |seen| seen["deploymentJobId"].is_string()).await;
        let job = format!("/deployment-jobs/{}", started["deploymentJobId"].as_str().unwrap());
        let ended = self.ended(&job).await;
        let promotion = self.wait(&path, |seen| seen["status"] != "deploying").await;
        assert_eq!(promotion["status"], "deployed", "{}", self.tasks(&job).await);
        ended
    }

    /// The job when it is terminal.
    async fn ended(&mut self, job: &str) -> Value {
        let running = ["queued", "running", "cancelling"];
        let seen = self.wait(job, move |seen| !running.iter().any(|one| seen["status"] == *one)).await;
        if let Some(died_at) = self.died_at {
            assert!(died_at.elapsed() < Duration::from_mins(1), "{job} ended {:?} after the kill", died_at.elapsed());
        }
        seen
    }

    async fn wait(&mut self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let requester = self.requester.clone();
        let seen = eventually_async(&format!("{path} is done"), Duration::from_mins(1), async || {
            breath().await;
            self.revive().await;
            let seen = requester.try_get(path).await?;
            if done(&seen) { Ok(seen) } else { Err(seen["status"].to_string()) }
        })
        .await;
        match seen {
            Ok(seen) => seen,
            Err(error) => panic!("{error}; tasks: {}", self.tasks(path).await),
        }
    }

    /// What became of each task, with the agent's log.
    async fn tasks(&self, job: &str) -> String {
        let tasks = self.requester.try_get(&format!("{job}/tasks?pageSize=100")).await.unwrap_or_default();
        let mut all = String::new();
        for task in tasks.as_array().into_iter().flatten() {
            let (name, status) = (&task["targetName"], &task["status"]);
            all += &format!("\n{} {name} {status} {}", task["kind"], task["error"]);
            let logs = format!("{job}/tasks/{}/logs", task["id"].as_str().unwrap_or_default());
            all += &self.requester.try_get(&logs).await.map_or_else(|error| error, |logs| logs.to_string());
        }
        all
    }

    /// What must be true when it is over: `runs` is the index of the release that runs, `starts` the releases
    /// that were started on each target, in their order.
    async fn check(&mut self, job: &Value, runs: usize, starts: &[usize]) {
        // The fail point lies on the way of every job, so by now it was passed.
        let died = eventually_async("the victim died at its point", Duration::from_secs(20), async || {
            self.revive().await;
            self.died
        });
        died.await.unwrap();
        let path = format!("/deployment-jobs/{}", id(job));
        assert_eq!(job["status"], "succeeded", "{}", self.tasks(&path).await);
        let job = self.wait(&format!("/deployment-jobs/{}", id(job)), |_| true).await;
        let wanted: Vec<&String> = starts.iter().map(|one| &self.digests[*one]).collect();
        for target in TARGETS {
            let seen = self.estate.starts(target);
            assert_eq!(seen.iter().map(|(digest, _)| digest).collect::<Vec<_>>(), wanted, "starts on {target}");
            let alive: Vec<u32> = seen
                .iter()
                .map(|(_, pid)| *pid)
                .filter(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists())
                .collect();
            assert_eq!(alive, [seen.last().unwrap().1], "one instance runs on {target}, the last that was started");
        }
        let version = ["1.0.0", "1.1.0"][runs];
        let tasks = self.requester.get(&format!("/deployment-jobs/{}/tasks?pageSize=100", id(&job))).await;
        for task in tasks.as_array().unwrap() {
            assert_eq!((&task["status"], &task["attempt"]), (&json!("succeeded"), &json!(1)), "{task}");
            let address = task["components"][0]["endpoints"][0]["address"].as_str().unwrap();
            let answer = self.estate.http.get(format!("http://{address}/version")).send().await.unwrap();
            assert_eq!(answer.text().await.unwrap().trim(), version, "{task}");
        }
        assert_eq!(tasks.as_array().unwrap().len(), TARGETS.len(), "{tasks}");
        self.check_packets(&job).await;
        for (key, (path, told)) in self.told.clone() {
            let about = path.trim_start_matches('/').split('/').next().unwrap().to_owned();
            let place = if path == "/rollbacks" { "deployment-jobs" } else { &about };
            let there = self.requester.get(&format!("/{place}/{told}")).await;
            assert_eq!(id(&there), told, "{key}: what was answered is still there");
            if path.ends_with("/approve") {
                let approvals = self.requester.get(&format!("/promotions/{told}/approvals")).await;
                let by: Vec<_> = approvals.as_array().unwrap().iter().map(|one| &one["by"]["id"]).collect();
                assert_eq!(by, [&json!(self.approver.id)], "{key}: the approval is there, once: {approvals}");
            }
        }
        let promotions = self.requester.get("/promotions?pageSize=100").await;
        let asked = self.told.values().filter(|(path, _)| path == "/promotions").count();
        assert_eq!(promotions.as_array().unwrap().len(), asked, "a repeated call makes nothing twice: {promotions}");
    }

    async fn check_packets(&self, job: &Value) {
        let all = self.requester.get("/evidence-packets?pageSize=100").await;
        let of_job: Vec<&Value> = all
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["deploymentJobId"] == job["id"] && one["type"] != "promotion_decision")
            .collect();
        let known: Vec<_> = all.as_array().unwrap().iter().map(|one| (&one["type"], &one["deploymentJobId"])).collect();
        assert_eq!(of_job.len(), 1, "one packet of the job {}: {known:?}", job["id"]);
        assert_eq!(job["evidencePacketIds"], json!([of_job[0]["id"]]), "{job}");
        let decisions = known.iter().filter(|(kind, _)| *kind == "promotion_decision").count();
        let asked = self.told.values().filter(|(path, _)| path == "/promotions").count();
        assert_eq!(decisions, asked, "one packet a decision: {known:?}");
    }
}

async fn server_dies_at(point: &str, database: Database) {
    let mut kill = Kill::prepare(database, Victim::Server).await;
    kill.promote(0, "first").await;
    kill.arm(point).await;
    let job = kill.promote(1, "second").await;
    kill.check(&job, 1, &[0, 1]).await;
}

async fn server_dies_in_a_rollback_at(point: &str, database: Database) {
    let mut kill = Kill::prepare(database, Victim::Server).await;
    kill.promote(0, "first").await;
    kill.promote(1, "second").await;
    kill.arm(point).await;
    let requester = kill.requester.clone();
    let body = json!({ "environmentId": kill.environment, "reason": "it loses orders" });
    let asked = kill.insist(&requester, "/rollbacks", &body, "back").await;
    let job = kill.ended(&format!("/deployment-jobs/{}", id(&asked))).await;
    kill.check(&job, 0, &[0, 1, 0]).await;
}

async fn agent_dies_at(point: &str, database: Database) {
    let mut kill = Kill::prepare(database, Victim::Agent).await;
    kill.promote(0, "first").await;
    kill.arm(point).await;
    let job = kill.promote(1, "second").await;
    kill.check(&job, 1, &[0, 1]).await;
}

/// The agent comes back and one byte of its journals is another: nobody can tell how far its tasks came.
async fn a_journal_is_damaged(database: Database) {
    let mut kill = Kill::prepare(database, Victim::Agent).await;
    kill.promote(0, "first").await;
    kill.arm("agent::started").await;
    let (requester, approver) = (kill.requester.clone(), kill.approver.clone());
    let body = json!({ "releaseId": kill.releases[1], "targetEnvironmentId": kill.environment });
    let path = format!("/promotions/{}", id(&requester.post("/promotions", &body).await));
    let waiting = until(&requester, &path, "waits", |seen| seen["status"] == "awaiting_approval").await;
    let yes = json!({ "subjectHash": waiting["subjectHash"] });
    approver.post(&format!("{path}/approve"), &yes).await;
    let started = until(&requester, &path, "starts", |seen| seen["deploymentJobId"].is_string()).await;
    let job = format!("/deployment-jobs/{}", started["deploymentJobId"].as_str().unwrap());
    let died = eventually("the agent died", PATIENCE, || kill.estate.agents[0].running().ended().unwrap());
    assert_eq!(died.unwrap().signal(), ABORTED);
    for entry in std::fs::read_dir(kill.estate.agents[0].data.join("tasks")).unwrap() {
        let path = entry.unwrap().path();
        let mut content = std::fs::read(&path).unwrap();
        content[40] ^= 1;
        std::fs::write(&path, content).unwrap();
    }
    kill.estate.start_agent(0, None);
    kill.died = true;
    let ended = kill.ended(&job).await;
    assert_eq!(ended["status"], "rolled_back", "{}", kill.tasks(&job).await);
    let tasks = requester.get(&format!("{job}/tasks?pageSize=100")).await;
    let lost: Vec<&Value> =
        tasks.as_array().unwrap().iter().filter(|task| task["error"]["code"] == "AGENT_SILENT").collect();
    assert!(!lost.is_empty() && lost.iter().all(|task| task["status"] == "unknown"), "{tasks}");
    for target in requester.get("/targets?pageSize=100").await.as_array().unwrap() {
        let path = format!("/targets/{}", id(target));
        let seen = until(&requester, &path, "is settled", |seen| seen["reconciliationPending"] == false).await;
        assert_eq!(seen["running"][0]["releaseId"], kill.releases[0].as_str(), "{seen}");
        let starts = kill.estate.starts(seen["name"].as_str().unwrap());
        let alive: Vec<&String> = starts
            .iter()
            .filter(|(_, pid)| std::path::Path::new(&format!("/proc/{pid}")).exists())
            .map(|(digest, _)| digest)
            .collect();
        assert_eq!(alive, [&kill.digests[0]], "one working set: {starts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_damaged_on_sqlite() {
    a_journal_is_damaged(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_is_damaged_on_postgres() {
    a_journal_is_damaged(Database::Postgres).await;
}

macro_rules! kills {
    ($scenario:ident: $($name:ident = $point:literal),* $(,)?) => {
        mod $scenario {
            $(mod $name {
                use crate::estate::Database;

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_sqlite() {
                    super::super::$scenario($point, Database::Sqlite).await;
                }

                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn on_postgres() {
                    super::super::$scenario($point, Database::Postgres).await;
                }
            })*
        }
    };
}

kills! { server_dies_at:
    promotion_committed = "server::committed::promotion_create",
    approval_committed = "server::committed::promotion_approve",
    job_advanced = "server::job_advanced",
    job_advanced_again = "server::job_advanced@3",
    offer_signed = "server::offer_signed",
    offer_written = "server::offer_written",
    offer_sent = "server::offer_sent",
    second_offer_sent = "server::offer_sent@2",
    ack_received = "server::ack_received",
    ack_recorded = "server::ack_recorded",
    check_reported = "server::step_reported::Check",
    prepare_reported = "server::step_reported::Prepare",
    pull_reported = "server::step_reported::Pull",
    start_reported = "server::step_reported::Start",
    start_ended_reported = "server::step_reported::Start@2",
    health_reported = "server::step_reported::Health",
    retire_reported = "server::step_reported::Retire",
    settle_reported = "server::step_reported::Settle",
    watch_reported = "server::step_reported::Watch",
    sticker_reported = "server::step_reported::Sticker",
    discard_reported = "server::step_reported::Discard",
    prune_reported = "server::step_reported::Prune",
    result_received = "server::result_received",
    result_recorded = "server::result_recorded",
    last_result_recorded = "server::result_recorded@2",
    evidence_sealed = "server::evidence_sealed",
}

kills! { server_dies_in_a_rollback_at:
    rollback_committed = "server::committed::rollback_create",
    offer_written = "server::offer_written",
}

kills! { agent_dies_at:
    offer_received = "agent::offer_received",
    journal_written = "agent::journal_written",
    ack_sent = "agent::ack_sent",
    step_begun = "agent::step_begun",
    pulled = "agent::pulled",
    new_started = "agent::started",
    healthy = "agent::healthy",
    old_stopped = "agent::old_stopped",
    settled = "agent::settled",
    sticker_placed = "agent::sticker_placed",
    result_journaled = "agent::result_journaled",
    result_sent = "agent::result_sent",
    second_old_stopped = "agent::old_stopped@2",
    second_result_sent = "agent::result_sent@2",
}
