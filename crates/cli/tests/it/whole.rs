//! The main job with real processes: server, agent, registry, target.

use serde_json::json;

use crate::estate::{Database, Estate, Plan, id, until, web};

async fn one_release_reaches_one_target(database: Database) {
    let mut estate = Estate::new(Plan::on(database)).await;
    let admin = estate.administrator().await;
    let digest = estate.push("api", "1.0.0", &[]).await;
    let hub = estate.hub(&admin).await;
    let ledger = estate.ledger("t1");
    estate.component(&admin, &hub, "api", web(ledger.to_str().unwrap())).await;
    let dev = estate.environment(&admin, json!({}), "dev", None).await;
    let agent = estate.agent(&admin, "a1", None).await;
    let target = estate.target(&admin, &dev, "t1", &agent, json!({})).await;
    let release = estate.release(&admin, "shop", "1.0.0", &[("api", "1.0.0")]).await;

    let body = json!({ "releaseId": release, "targetEnvironmentId": dev });
    let promotion = id(&admin.post("/promotions", &body).await);
    let path = format!("/promotions/{promotion}");
    let done = until(&admin, &path, "ends", |seen| {
        ["deployed", "failed", "rolled_back", "blocked"].iter().any(|one| seen["status"] == *one)
    })
    .await;
    let job = done["deploymentJobId"].as_str().unwrap_or_else(|| panic!("{done}")).to_owned();
    let tasks = admin.get(&format!("/deployment-jobs/{job}/tasks")).await;
    assert_eq!(done["status"], "deployed", "{done}\n{tasks}");
    let component = &tasks[0]["components"][0];
    assert_eq!(tasks[0]["targetId"], target.as_str());
    assert_eq!(component["toDigest"], digest.to_string());
    // The oracle: what the application wrote on its host, and what answers there.
    let starts = estate.starts("t1");
    assert_eq!(starts.len(), 1, "{starts:?}");
    assert_eq!(starts[0].0, digest.to_string());
    let address = component["endpoints"][0]["address"].as_str().unwrap_or_else(|| panic!("{tasks}"));
    let answer = estate.http.get(format!("http://{address}/version")).send().await.unwrap().text().await.unwrap();
    assert_eq!(answer.trim(), "1.0.0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_release_reaches_one_target_on_sqlite() {
    one_release_reaches_one_target(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_release_reaches_one_target_on_postgres() {
    one_release_reaches_one_target(Database::Postgres).await;
}
