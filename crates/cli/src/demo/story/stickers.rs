//! Version stickers: what each host says of itself, signed by the server.

use anyhow::{Context as _, Result, ensure};

use super::{APPLICATION, World};
use crate::demo::{api::list, offline, shell, stage::Stage};

/// What runs where at the end.
const AT_THE_END: [(&str, &str); 3] = [("dev", "1.1.0"), ("staging", "1.1.0"), ("prod", "1.0.0")];

/// Reads each host's sticker with nothing but the key, and as the API has read it through the agent.
pub(super) async fn verify(stage: &Stage, world: &World) -> Result<()> {
    let ada = &world.people.ada;
    let key = offline::key(stage, ada, world.a_host()?).await?;
    for host in &world.hosts {
        stage.does(&format!("verifies the sticker of {}", host.name));
        let said = offline::verified(stage, "sticker", &host.sticker(APPLICATION), &key).await?;
        let at_the_end = AT_THE_END.iter().find(|(environment, _)| *environment == host.environment);
        let (_, version) = at_the_end.with_context(|| format!("{} is in no environment", host.name))?;
        let expected = format!("{} runs {version}", host.name);
        ensure!(said.contains(&expected), "the sticker of {} should say {version}: {said}", host.name);
        let seen = ada.get(&format!("/targets/{}/sticker", host.target)).await?;
        let view = list(&seen).iter().find(|one| one["application"] == APPLICATION);
        let view = view.with_context(|| format!("the API knows no sticker on {}: {seen}", host.name))?;
        ensure!(view["agrees"] == true && view["signatureValid"] == true, "the API sees {view} on {}", host.name);
        stage.teller.saw(&format!("{said}; the API agrees"));
    }
    for host in &world.hosts {
        let (file, key) = (shell::path(&host.sticker(APPLICATION)), shell::path(&key));
        stage.teller.command(&format!("plimsoll sticker verify {file} --key {key}"));
        stage.teller.command_as("ada", &format!("sticker read {}/{}", host.environment, host.name));
    }
    Ok(())
}
