//! A rollback of a whole set.

use anyhow::{Result, bail, ensure};
use serde_json::json;

use super::{APPLICATION, Carried, World, promotion};
use crate::demo::{
    api::text,
    stage::{Seen, Stage},
};

/// Prod goes back to the release before.
pub(super) async fn of_prod(stage: &Stage, world: &World) -> Result<Carried> {
    let ada = &world.people.ada;
    let body = json!({
        "environmentId": world.environment("prod")?, "application": APPLICATION, "reason": "customers see errors",
    });
    let made = ada.post("/rollbacks", &body).await?;
    let job = text(&made, "id")?.to_owned();
    let done = stage
        .until("the rollback", async || {
            let seen = ada.get(&format!("/deployment-jobs/{job}")).await?;
            match text(&seen, "status")? {
                "succeeded" => Ok(Seen::Done(seen)),
                "failed" | "cancelled" | "rolled_back" => bail!("the rollback is {seen}"),
                other => Ok(Seen::NotYet(other.to_owned())),
            }
        })
        .await?;
    let (kind, version) = (text(&done, "kind")?, text(&done, "releaseVersion")?);
    ensure!(version == "1.0.0", "it went to {version}");
    stage.teller.saw(&format!("{kind} to {APPLICATION}@{version}: {}", text(&done, "status")?));
    promotion::on_hosts(stage, world, &job, version, "prod").await?;
    stage
        .teller
        .command_as("ada", &format!("rollback {APPLICATION} --env prod --reason 'customers see errors' --wait"));
    Ok(Carried { promotion: None, job })
}
