//! The story, step by step. A step that does not go as it should ends it, and names itself.

use anyhow::{Context as _, Result, ensure};
use plimsoll_core::Digest;
use serde_json::{Value, json};

use super::{Estate, Teller, api::text, registry::ImageSpec};

/// The demo's two components.
const COMPONENTS: [&str; 2] = ["api", "web"];
/// Their versions in the registry.
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.2.0"];
/// The environments, each promoted into from the one before.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// Tells it all.
pub(crate) async fn tell(teller: &Teller, estate: &Estate) -> Result<()> {
    let images = push(teller, estate).context("step: push images")?;
    let registry = connect(teller, estate).await.context("step: connect the registry")?;
    let components = components(teller, estate, &registry, &images).await.context("step: components")?;
    moved_tag(teller, estate, &components).await.context("step: a moved tag")?;
    let environments = environments(teller, estate).await.context("step: environments")?;
    freeze(teller, estate, &environments).await.context("step: freeze prod")?;
    trail(teller, estate).await.context("step: the audit trail")
}

/// What the registry holds: the demo's own images, each tag with its digest.
type Images = Vec<(String, String, Digest)>;

fn push(teller: &Teller, estate: &Estate) -> Result<Images> {
    teller.step("Two components in three versions lie in a registry");
    let mut images = Images::new();
    for component in COMPONENTS {
        for version in VERSIONS {
            let program = format!("#!/bin/{component}\n# {component} {version}\n");
            let put = estate.registry.put_image(
                &format!("shop/{component}"),
                version,
                &ImageSpec::of_program(component, program.into()),
            )?;
            images.push((component.to_owned(), version.to_owned(), put.digest));
        }
    }
    teller.saw(&format!("{} images at {}", images.len(), estate.registry_address));
    Ok(images)
}

async fn connect(teller: &Teller, estate: &Estate) -> Result<Value> {
    teller.step("The registry is added as an integration, and tested");
    let body = json!({
        "name": "hub", "typeId": "oci_registry",
        "config": { "url": format!("http://{}", estate.registry_address), "insecure": true },
    });
    let made = estate.api.post("/integrations", &body).await?;
    let report = estate.api.post(&format!("/integrations/{}/test", text(&made, "id")?), &json!({})).await?;
    for check in report["checks"].as_array().into_iter().flatten() {
        teller.saw(&format!("{} {}: {}", mark(check["ok"] == true), text(check, "name")?, text(check, "message")?));
    }
    ensure!(report["ok"] == true, "the registry's test failed: {report}");
    teller.command("plimsoll api POST /api/v1/integrations/<id>/test");
    Ok(made)
}

async fn components(teller: &Teller, estate: &Estate, registry: &Value, images: &Images) -> Result<Vec<Value>> {
    teller.step("Components point at repositories; a sync pins every tag to its digest");
    let mut out = Vec::new();
    for name in COMPONENTS {
        let body = json!({
            "name": name, "registryIntegrationId": text(registry, "id")?, "repository": format!("shop/{name}"),
        });
        let made = estate.api.post("/components", &body).await?;
        let id = text(&made, "id")?;
        let synced = estate.api.post(&format!("/components/{id}/sync-versions"), &json!({})).await?;
        ensure!(synced["added"] == VERSIONS.len(), "the sync of {name} found {synced}");
        let versions = estate.api.get(&format!("/components/{id}/versions?sort=-version")).await?;
        for version in versions.as_array().into_iter().flatten() {
            let (tag, digest) = (text(version, "tag")?, text(version, "digest")?);
            let pushed = images.iter().find(|(component, known, _)| component == name && known == tag);
            ensure!(
                pushed.is_some_and(|(_, _, known)| known.to_string() == digest),
                "{name}:{tag} is pinned to {digest}, which was never pushed"
            );
            teller.saw(&format!("{name} {tag} = {digest}"));
        }
        out.push(made);
    }
    teller.command("plimsoll api POST /api/v1/components/<id>/sync-versions");
    Ok(out)
}

async fn moved_tag(teller: &Teller, estate: &Estate, components: &[Value]) -> Result<()> {
    teller.step("Somebody moves a tag: the old digest stays known, the move is seen");
    let program = b"#!/bin/api\n# api 1.2.0, but not the one that was tested\n".to_vec();
    let other = estate.registry.put_image("shop/api", "1.2.0", &ImageSpec::of_program("api", program.into()))?;
    let id = text(components.first().context("there is no component")?, "id")?;
    let synced = estate.api.post(&format!("/components/{id}/sync-versions"), &json!({})).await?;
    ensure!(synced["moved"] == 1, "the sync did not see the moved tag: {synced}");
    let versions = estate.api.get(&format!("/components/{id}/versions?sort=-version")).await?;
    let of_tag: Vec<&Value> = versions.as_array().into_iter().flatten().filter(|one| one["tag"] == "1.2.0").collect();
    ensure!(of_tag.len() == 2, "both digests of the tag should be known: {versions}");
    for version in of_tag {
        let digest = text(version, "digest")?;
        let state = version["supersededAt"].as_str().map_or("now", |_| "superseded");
        ensure!((state == "now") == (digest == other.digest.to_string()), "the wrong digest is superseded");
        teller.saw(&format!("api 1.2.0 = {digest} ({state})"));
    }
    Ok(())
}

async fn environments(teller: &Teller, estate: &Estate) -> Result<Vec<Value>> {
    teller.step("Three environments, each promoted into from the one before");
    let mut made: Vec<Value> = Vec::new();
    for (order, name) in ENVIRONMENTS.iter().enumerate() {
        let before: Vec<&Value> = made.last().map(|one| &one["id"]).into_iter().collect();
        let body = json!({ "name": name, "orderIndex": order, "promotesFrom": { "environmentIds": before } });
        made.push(estate.api.post("/environments", &body).await?);
    }
    let listed = estate.api.get("/environments?sort=orderIndex").await?;
    let names: Vec<&str> = listed.as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect();
    ensure!(names == ENVIRONMENTS, "the environments are {names:?}");
    teller.saw(&names.join(" -> "));
    Ok(made)
}

async fn freeze(teller: &Teller, estate: &Estate, environments: &[Value]) -> Result<()> {
    teller.step("Prod is frozen every night from 22:00 to 06:00 in Berlin, clock changes included");
    let id = text(environments.last().context("there is no prod")?, "id")?;
    let body = json!({
        "name": "nights", "reason": "nobody deploys at night", "startsAt": "2026-01-01T22:00:00+01:00",
        "recurrence": "FREQ=DAILY", "durationMinutes": 480, "timezone": "Europe/Berlin",
    });
    estate.api.post(&format!("/environments/{id}/freeze-windows"), &body).await?;
    let windows = estate.api.get(&format!("/environments/{id}/freeze-windows")).await?;
    let window = windows.as_array().and_then(|all| all.first()).context("the freeze window is not listed")?;
    let next = window["nextOccurrences"].as_array().and_then(|all| all.first()).context("no next night is known")?;
    teller.saw(&format!(
        "active now: {}; next: {} to {}",
        window["active"],
        text(next, "startsAt")?,
        text(next, "endsAt")?
    ));
    Ok(())
}

async fn trail(teller: &Teller, estate: &Estate) -> Result<()> {
    teller.step("Everything that changed something stands in the audit trail");
    let events = estate.api.get("/audit-events?sort=createdAt&pageSize=100").await?;
    let all: Vec<&Value> = events.as_array().into_iter().flatten().collect();
    ensure!(all.iter().filter(|one| one["action"] == "environment_create").count() == ENVIRONMENTS.len());
    for event in all.iter().rev().take(3) {
        teller.saw(&format!(
            "{} {} {} by {}",
            text(event, "at")?,
            text(event, "action")?,
            text(event, "outcome")?,
            text(event, "principalName")?
        ));
    }
    teller.saw(&format!("{} events in all", all.len()));
    Ok(())
}

const fn mark(ok: bool) -> &'static str {
    if ok { "ok" } else { "FAILED" }
}
