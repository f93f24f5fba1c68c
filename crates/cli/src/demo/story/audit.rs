//! The audit trail.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::World;
use crate::demo::{
    api::{list, text},
    stage::Stage,
};

/// What must stand there: action, outcome, by whom.
const EXPECTED: [(&str, &str, &str); 6] = [
    ("release_create", "succeeded", "ada"),
    ("freeze_window_delete", "succeeded", "admin"),
    ("governance_change", "succeeded", "admin"),
    ("promotion_approve", "refused", "ada"),
    ("promotion_approve", "succeeded", "grace"),
    ("rollback_create", "succeeded", "ada"),
];

/// Shows the lines that matter most.
pub(super) async fn trail(stage: &Stage, world: &World) -> Result<()> {
    let mut all: Vec<Value> = Vec::new();
    let mut page = 1;
    loop {
        let path = format!("/audit-events?sort=createdAt&pageSize=100&page={page}");
        let events = world.people.admin.get(&path).await?;
        all.extend_from_slice(list(&events));
        if list(&events).len() < 100 {
            break;
        }
        page += 1;
    }
    for (action, outcome, who) in EXPECTED {
        let is_it = |one: &&Value| one["action"] == action && one["outcome"] == outcome && one["principalName"] == who;
        let found = all.iter().find(is_it);
        ensure!(found.is_some(), "the trail does not say that {who} did {action} ({outcome})");
        if let Some(event) = found {
            let code = event["errorCode"].as_str().map_or(String::new(), |code| format!(" {code}"));
            stage.teller.saw(&format!("{} {who} {action} {outcome}{code}", text(event, "at")?));
        }
    }
    stage.teller.saw(&format!("{} events in all", all.len()));
    stage.teller.command_as("admin", "api GET /api/v1/audit-events -Q sort=createdAt -Q pageSize=100");
    Ok(())
}
