//! Approvals: not by who asked, and bound to what was shown.

use anyhow::{Context as _, Result, ensure};
use plimsoll_core::ErrorCode;
use reqwest::Method;
use serde_json::json;

use super::{Carried, World, promotion, release::Release};
use crate::demo::{
    api::{list, text},
    host::short,
    shell,
    stage::Stage,
};

/// What ada says of her own.
const OWN_COMMENT: &str = "it is fine, I made it";
/// What grace says.
const COMMENT: &str = "looked at in staging";

/// Ada holds the role, and asked herself.
pub(super) async fn refused(stage: &Stage, world: &World, id: &str) -> Result<()> {
    let path = format!("/promotions/{id}");
    let shown = world.people.ada.get(&path).await?;
    let body = json!({ "subjectHash": text(&shown, "subjectHash")?, "comment": OWN_COMMENT });
    let approve = format!("{path}/approve");
    let refusal = world.people.ada.refused(Method::POST, &approve, &body, ErrorCode::SeparationOfDuties).await?;
    stage.teller.saw(&format!("ada: {} {}: {}", refusal.status.as_u16(), refusal.code, refusal.message));
    let after = world.people.ada.get(&path).await?;
    ensure!(after["status"] == "awaiting_approval", "the promotion is {}", after["status"]);
    stage.teller.saw(&format!("the promotion is still {}", text(&after, "status")?));
    stage.teller.command_as("ada", &format!("approve {id} --comment {}", shell::word(OWN_COMMENT)));
    Ok(())
}

/// Grace approves what she was shown.
pub(super) async fn approve(world: &World, id: &str) -> Result<()> {
    let pending = world.people.grace.get("/my/pending-approvals").await?;
    let waits = list(&pending).iter().find(|one| one["promotionId"] == id);
    let hash = text(waits.with_context(|| format!("grace is not asked to approve {id}: {pending}"))?, "subjectHash")?;
    let body = json!({ "subjectHash": hash, "comment": COMMENT });
    world.people.grace.post(&format!("/promotions/{id}/approve"), &body).await?;
    Ok(())
}

/// How she does it.
pub(super) fn tell_approval(stage: &Stage, id: &str) {
    stage.teller.command_as("grace", "promotion pending");
    stage.teller.command_as("grace", &format!("approve {id} --comment {}", shell::word(COMMENT)));
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
    tell_approval(stage, id);
    stage.teller.command_as("ada", &format!("promotion approvals {id}"));
    stage.teller.command_as("ada", &format!("promotion watch {id} --wait"));
    Ok(carried)
}
