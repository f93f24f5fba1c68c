//! Approvals: not by who asked, and bound to what was shown.

use anyhow::{Context as _, Result, ensure};
use plimsoll_core::ErrorCode;
use reqwest::Method;
use serde_json::json;

use super::{Carried, World, promotion, release::Release};
use crate::demo::{
    api::{list, text},
    host::short,
    stage::Stage,
};

/// Ada holds the role, and asked herself.
pub(super) async fn refused(stage: &Stage, world: &World, id: &str) -> Result<()> {
    let path = format!("/promotions/{id}");
    let shown = world.people.ada.get(&path).await?;
    let body = json!({ "subjectHash": text(&shown, "subjectHash")?, "comment": "it is fine, I made it" });
    let approve = format!("{path}/approve");
    let refusal = world.people.ada.refused(Method::POST, &approve, &body, ErrorCode::SeparationOfDuties).await?;
    stage.teller.saw(&format!("ada: {} {}: {}", refusal.status.as_u16(), refusal.code, refusal.message));
    let after = world.people.ada.get(&path).await?;
    ensure!(after["status"] == "awaiting_approval", "the promotion is {}", after["status"]);
    stage.teller.saw(&format!("the promotion is still {}", text(&after, "status")?));
    stage.teller.command(&format!("plimsoll approve {id}      # as ada"));
    Ok(())
}

/// Grace approves what she was shown.
pub(super) async fn approve(world: &World, id: &str) -> Result<()> {
    let pending = world.people.grace.get("/my/pending-approvals").await?;
    let waits = list(&pending).iter().find(|one| one["promotionId"] == id);
    let hash = text(waits.with_context(|| format!("grace is not asked to approve {id}: {pending}"))?, "subjectHash")?;
    let body = json!({ "subjectHash": hash, "comment": "looked at in staging" });
    world.people.grace.post(&format!("/promotions/{id}/approve"), &body).await?;
    Ok(())
}

/// The approval lets the release in.
pub(super) async fn given(stage: &Stage, world: &World, id: &str, release: &Release) -> Result<Carried> {
    approve(world, id).await?;
    let approvals = world.people.ada.get(&format!("/promotions/{id}/approvals")).await?;
    let [one] = list(&approvals) else { anyhow::bail!("there should be one approval: {approvals}") };
    ensure!(one["valid"] == true && one["by"]["id"] == world.people.grace.id.as_str(), "the approval is {one}");
    let (who, comment) = (text(&one["by"], "name")?, text(one, "comment")?);
    let hash = short(text(one, "subjectHash")?);
    stage.teller.saw(&format!("{} by {who} for {hash}: {comment}", text(one, "verdict")?));
    let carried = promotion::arrives(stage, world, id, release, "prod").await?;
    stage.teller.command("plimsoll promotion pending      # as grace");
    stage.teller.command(&format!("plimsoll approve {id} --comment 'looked at in staging'      # as grace"));
    Ok(carried)
}
