//! Releases: cut, sealed, and not to be changed, whatever happens in the registry.

use anyhow::{Context as _, Result, ensure};
use plimsoll_core::ErrorCode;
use reqwest::Method;
use serde_json::{Value, json};

use super::{APPLICATION, COMPONENTS, VERSIONS, World};
use crate::demo::{
    api::{list, text},
    host::short,
    parts::registry::Health,
    shell,
    stage::Stage,
};

/// A sealed release.
#[derive(Clone, Debug)]
pub(super) struct Release {
    pub(super) id: String,
    pub(super) version: String,
}

impl Release {
    /// As people name it.
    pub(super) fn name(&self) -> String {
        format!("{APPLICATION}@{}", self.version)
    }
}

/// Cuts a draft of the given version of each component.
async fn draft(world: &World, version: &str) -> Result<Value> {
    let components: Vec<Value> = COMPONENTS.iter().map(|name| json!({ "component": name, "tag": version })).collect();
    world
        .people
        .ada
        .post("/releases", &json!({ "name": APPLICATION, "version": version, "components": components }))
        .await
}

/// Seals a draft, and looks at what came of it.
async fn seal(world: &World, draft: &Value) -> Result<Release> {
    let path = format!("/releases/{}", text(draft, "id")?);
    world.people.ada.put(&path, &json!({ "status": "ready" })).await?;
    let sealed = world.people.ada.get(&path).await?;
    ensure!(sealed["status"] == "ready", "the release is {}", sealed["status"]);
    let version = text(&sealed, "version")?.to_owned();
    pinned(world, &sealed, &version)?;
    Ok(Release { id: text(&sealed, "id")?.to_owned(), version })
}

/// A sealed release of a version.
pub(super) async fn sealed(world: &World, version: &str) -> Result<Release> {
    seal(world, &draft(world, version).await?).await
}

/// How such a release is made.
pub(super) fn tell_sealing(stage: &Stage, release: &Release) {
    let parts = COMPONENTS.map(|name| format!("{name}:{}", release.version)).join(" ");
    stage.teller.command_as("ada", &format!("release create {} {parts}", release.name()));
    stage.teller.command_as("ada", &format!("release ready {}", release.name()));
}

/// The first one, with what sealing means.
pub(super) async fn cut(stage: &Stage, world: &World) -> Result<Release> {
    let version = VERSIONS.first().copied().unwrap_or_default();
    let draft = draft(world, version).await?;
    let seen = world.people.ada.get(&format!("/releases/{}", text(&draft, "id")?)).await?;
    ensure!(seen["status"] == "draft", "a release that nobody sealed is {}", seen["status"]);
    stage.teller.saw(&format!("{APPLICATION}@{} is a {}", text(&seen, "version")?, text(&seen, "status")?));
    let release = seal(world, &draft).await?;
    show(stage, world, &release).await?;
    let components = json!([{ "component": "api", "tag": "1.1.0" }]);
    let change = json!({ "name": APPLICATION, "version": version, "components": components });
    let path = format!("/releases/{}", release.id);
    let refusal = world.people.ada.refused(Method::PUT, &path, &change, ErrorCode::ReleaseSealed).await?;
    stage.teller.saw(&format!("a change now: {} {}: {}", refusal.status.as_u16(), refusal.code, refusal.message));
    tell_sealing(stage, &release);
    stage.teller.command_as("grace", &format!("release get {} -o yaml", release.name()));
    stage.teller.command_as("ada", &format!("api PUT /api/v1{path} {}", shell::data(&change)));
    Ok(release)
}

/// The tag of a sealed release's image is moved to another image.
pub(super) async fn moved_tag(stage: &Stage, world: &World, release: &Release) -> Result<()> {
    let shows = format!("{} that nobody tested", release.version);
    let other = world.registry.put("api", &release.version, &shows, Health::Good).await?.to_string();
    let id = world.components.get("api").context("there is no api")?;
    let synced = world.people.ada.post(&format!("/components/{id}/sync-versions"), &json!({})).await?;
    ensure!(synced["moved"] == 1, "the sync did not see the moved tag: {synced}");
    let versions = world.people.ada.get(&format!("/components/{id}/versions?sort=-version")).await?;
    for version in list(&versions).iter().filter(|version| version["tag"] == release.version.as_str()) {
        let digest = text(version, "digest")?;
        let now = version["supersededAt"].is_null();
        ensure!(now == (digest == other), "the wrong digest is superseded: {version}");
        let state = if now { "now" } else { "superseded" };
        stage.teller.saw(&format!("api:{} = {} ({state})", release.version, short(digest)));
    }
    show(stage, world, release).await?;
    stage.teller.command_as("ada", "component sync api");
    stage.teller.command_as("ada", "component versions api --sort -version");
    stage.teller.command_as("grace", &format!("release get {} -o yaml", release.name()));
    Ok(())
}

async fn show(stage: &Stage, world: &World, release: &Release) -> Result<()> {
    let seen = world.people.grace.get(&format!("/releases/{}", release.id)).await?;
    pinned(world, &seen, &release.version)?;
    let digest = text(&seen, "digest")?;
    stage.teller.saw(&format!("{} is {}: {}", release.name(), text(&seen, "status")?, short(digest)));
    for component in list(&seen["components"]) {
        stage.teller.saw(&format!("  {} {}", text(component, "component")?, short(text(component, "digest")?)));
    }
    Ok(())
}

/// Each component has the digest that was pushed first under its tag.
fn pinned(world: &World, release: &Value, version: &str) -> Result<()> {
    for expected in world.expected(version)? {
        let found = list(&release["components"]).iter().find(|one| one["component"] == expected.component.as_str());
        let digest = text(found.with_context(|| format!("{} is missing", expected.component))?, "digest")?;
        ensure!(
            digest == expected.digest,
            "{} is {digest} in the release, not {}",
            expected.component,
            expected.digest
        );
    }
    Ok(())
}
