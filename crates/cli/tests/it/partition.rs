//! An agent behind a cable that is pulled: a cancel ends in bounded time and says what is not known, and the
//! target settles by what is seen there when the cable is back.

use plimsoll_testkit::TestNetwork;
use serde_json::{Value, json};

use crate::estate::{Database, Estate, Plan, id, until, web};

const LEASE_SECONDS: u32 = 5;
/// What the issue of a cancel may take beyond the lease.
const MARGIN_SECONDS: i64 = 10;

async fn a_cancel_without_a_link_ends_unknown_and_settles(database: Database) {
    let network = TestNetwork::new().unwrap();
    let host = network.host().unwrap();
    let plan = Plan { address: network.gateway(), lease_seconds: LEASE_SECONDS, ..Plan::on(database) };
    let mut estate = Estate::new(plan).await;
    let admin = estate.administrator().await;
    let good = estate.push("api", "1.0.0", &[]).await.to_string();
    // It listens so late that there is time to pull the cable before it is healthy.
    estate.push("api", "1.1.0", &["--start-delay-ms", "60000"]).await;
    let hub = estate.hub(&admin).await;
    let ledger = estate.ledger("t1");
    let mut runtime = web(ledger.to_str().unwrap());
    runtime["health"]["startPeriodSeconds"] = json!(90);
    runtime["health"]["deadlineSeconds"] = json!(120);
    estate.component(&admin, &hub, "api", runtime).await;
    let dev = estate.environment(&admin, json!({}), "dev", None).await;
    let agent = estate.agent(&admin, "a1", Some(&host)).await;
    let target = estate.target(&admin, &dev, "t1", &agent, json!({ "advertiseAddress": host.address() })).await;

    let (mut jobs, mut releases) = (Vec::new(), Vec::new());
    for version in ["1.0.0", "1.1.0"] {
        let release = estate.release(&admin, "shop", version, &[("api", version)]).await;
        let body = json!({ "releaseId": release, "targetEnvironmentId": dev });
        let promotion = id(&admin.post("/promotions", &body).await);
        let started =
            until(&admin, &format!("/promotions/{promotion}"), "starts", |seen| seen["deploymentJobId"].is_string())
                .await;
        let job = format!("/deployment-jobs/{}", started["deploymentJobId"].as_str().unwrap());
        if version == "1.0.0" {
            let done = until(&admin, &job, "ends", |seen| seen["finishedAt"].is_string()).await;
            assert_eq!(done["status"], "succeeded", "{done}");
        }
        jobs.push(job);
        releases.push(release);
    }
    // The new one is up and not healthy yet.
    let starts = plimsoll_testkit::eventually("the new version was started", plimsoll_testkit::PATIENCE, || {
        let starts = estate.starts("t1");
        (starts.len() == 2).then_some(starts)
    });
    let starts = starts.unwrap();

    host.partition().unwrap();
    let asked: Value = admin.post(&format!("{}/cancel", jobs[1]), &json!({ "reason": "it is the wrong one" })).await;
    let done = until(&admin, &jobs[1], "ends", |seen| seen["finishedAt"].is_string()).await;
    let tasks = admin.get(&format!("{}/tasks", jobs[1])).await;
    assert_eq!(tasks[0]["status"], "unknown", "{tasks}");
    assert_eq!(tasks[0]["error"]["code"], "CANCEL_UNANSWERED", "{tasks}");
    let seconds = |value: &Value| {
        let at: plimsoll_core::Timestamp = serde_json::from_value(value.clone()).unwrap();
        at.as_seconds()
    };
    let took = seconds(&done["finishedAt"]) - seconds(&asked["updatedAt"]);
    assert!(took <= i64::from(LEASE_SECONDS) + MARGIN_SECONDS, "the cancel took {took} s: {done}");
    let seen = admin.get(&format!("/targets/{target}")).await;
    assert_eq!(seen["reconciliationPending"], true, "what runs there is not known: {seen}");

    host.heal().unwrap();
    let seen =
        until(&admin, &format!("/targets/{target}"), "is settled", |seen| seen["reconciliationPending"] == false).await;
    // The agent put the new one away, since it lost its lease before that was healthy.
    assert_eq!(seen["running"][0]["releaseId"], releases[0].as_str(), "{seen}");
    let alive = |pid: u32| std::path::Path::new(&format!("/proc/{pid}")).exists();
    assert!(!alive(starts[1].1), "what was cancelled does not run");
    assert!(starts[0].0 == good && alive(starts[0].1), "the version before runs on: {starts:?}");
    assert_eq!(estate.starts("t1"), starts, "nothing was started again");
    let tasks = admin.get(&format!("{}/tasks", jobs[1])).await;
    assert_eq!(tasks[0]["status"], "unknown", "what was said of the task stays said: {tasks}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_without_a_link_ends_unknown_and_settles_on_sqlite() {
    a_cancel_without_a_link_ends_unknown_and_settles(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancel_without_a_link_ends_unknown_and_settles_on_postgres() {
    a_cancel_without_a_link_ends_unknown_and_settles(Database::Postgres).await;
}
