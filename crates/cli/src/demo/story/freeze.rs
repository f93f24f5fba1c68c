//! A freeze window at prod's door.

use anyhow::{Result, ensure};
use plimsoll_core::context::Context;
use serde_json::json;

use super::{
    World,
    promotion::{becomes, gates, request, tell_request},
    release::Release,
};
use crate::demo::{
    api::{list, text},
    shell,
    stage::Stage,
};

/// The release is held up by a freeze, which is then lifted; gives the promotion, which waits for approval.
pub(super) async fn blocks(stage: &Stage, world: &World, release: &Release) -> Result<String> {
    let now = Context::system().now();
    let windows = format!("/environments/{}/freeze-windows", world.environment("prod")?);
    let body = json!({
        "name": "sale", "reason": "the big sale: nothing moves",
        "startsAt": now.plus_seconds(-60), "endsAt": now.plus_seconds(24 * 3600),
    });
    world.people.admin.post(&windows, &body).await?;
    let seen = world.people.ada.get(&windows).await?;
    let [window] = list(&seen) else { anyhow::bail!("there should be one freeze window: {seen}") };
    ensure!(window["active"] == true, "the freeze is not active: {window}");
    let (name, reason, end) = (text(window, "name")?, text(window, "reason")?, text(window, "endsAt")?);
    stage.teller.saw(&format!("freeze {name} is active until {end}: {reason}"));
    let asked = request(world, release, "prod").await?;
    let promotion = text(&asked, "id")?;
    let blocked = becomes(stage, &world.people.ada, promotion, &["blocked"]).await?;
    stage.teller.saw(&format!("{} asked for prod: {}", release.name(), text(&blocked, "status")?));
    for gate in gates(&blocked["decision"]) {
        stage.teller.saw(&format!("gate {gate}"));
    }
    ensure!(blocked["deploymentJobId"].is_null(), "a job was made although prod is frozen");
    world.people.admin.delete(&format!("{windows}/{}?reason=the%20sale%20is%20over", text(window, "id")?)).await?;
    let left = world.people.ada.get(&windows).await?;
    ensure!(list(&left).is_empty(), "the freeze is not lifted: {left}");
    stage.teller.saw(&format!("the freeze is lifted: {} windows at prod's door", list(&left).len()));
    let waiting = becomes(stage, &world.people.ada, promotion, &["awaiting_approval"]).await?;
    stage.teller.saw(&format!("{} at prod: {}", release.name(), text(&waiting, "status")?));
    stage.teller.command_as("admin", &format!("freeze create prod {}", shell::data(&body)));
    tell_request(stage, release, "prod");
    stage.teller.command_as("admin", "freeze delete prod sale --reason 'the sale is over'");
    stage.teller.command_as("ada", "freeze list prod");
    stage.teller.command_as("ada", &format!("promotion watch {promotion} --wait"));
    Ok(promotion.to_owned())
}
