//! The environments and what guards them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::{ENVIRONMENTS, people::People};
use crate::demo::{
    api::{list, text},
    shell,
    stage::Stage,
};

/// Why rules are made.
const REASON: &str = "the rules of the demo";

/// Makes them; gives their ids by name.
pub(super) async fn add(stage: &Stage, people: &People) -> Result<BTreeMap<String, String>> {
    let policy = json!({
        "name": "second-person", "separationOfDuties": true, "reason": REASON,
        "rules": [{ "name": "one other", "minApprovals": 1, "approvers": { "roles": ["approver"] } }],
    });
    let mut commands = vec![format!("api POST /api/v1/approval-policies {}", shell::data(&policy))];
    let policy = people.admin.post("/approval-policies", &policy).await?;
    let mut ids = BTreeMap::new();
    let mut before: Vec<Value> = Vec::new();
    for (order, name) in ENVIRONMENTS.iter().enumerate() {
        let mut body = json!({
            "name": name, "orderIndex": order, "promotesFrom": { "environmentIds": before }, "reason": REASON,
            "gates": gates(name).iter().map(|gate| json!({ "type": gate })).collect::<Vec<_>>(),
        });
        match *name {
            "staging" => body["strategy"] = json!({ "type": "all_at_once" }),
            "prod" => body["approvalPolicyId"] = policy["id"].clone(),
            _ => {}
        }
        commands.push(format!("env create {}", shell::data(&body)));
        let made = people.admin.post("/environments", &body).await?;
        ids.insert((*name).to_owned(), text(&made, "id")?.to_owned());
        before = vec![made["id"].clone()];
    }
    let listed = people.ada.get("/environments?sort=orderIndex").await?;
    ensure!(list(&listed).len() == ENVIRONMENTS.len(), "the environments are {listed}");
    for environment in list(&listed) {
        let gates: Vec<&str> = list(&environment["gates"]).iter().filter_map(|gate| gate["type"].as_str()).collect();
        let gates = if gates.is_empty() { "none".to_owned() } else { gates.join(", ") };
        let (name, strategy) = (text(environment, "name")?, text(&environment["strategy"], "type")?);
        stage.teller.saw(&format!("{name}: strategy {strategy}; gates: {gates}"));
    }
    for command in commands {
        stage.teller.command_as("admin", &command);
    }
    stage.teller.command_as("ada", "env list --sort orderIndex -o yaml");
    Ok(ids)
}

fn gates(environment: &str) -> &'static [&'static str] {
    match environment {
        "staging" => &["release_status", "promotion_path"],
        "prod" => &["release_status", "promotion_path", "freeze_window", "approval"],
        _ => &["release_status"],
    }
}
