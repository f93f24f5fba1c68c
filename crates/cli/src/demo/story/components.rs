//! Images in a registry, and the components that point at them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::json;

use super::{APPLICATION, COMPONENTS, Images, VERSIONS, people::People};
use crate::demo::{
    api::{list, text},
    app,
    host::short,
    parts::registry::{Health, RegistryPart, SUBCOMMAND, line},
    shell,
    stage::Stage,
    targets::Kind,
};

/// Starts the registry and fills it.
pub(super) async fn push(stage: &Stage) -> Result<(RegistryPart, Images)> {
    app::ensure_there()?;
    let registry = RegistryPart::start(&stage.parts).await?;
    let (mut images, mut told) = (Images::new(), Vec::new());
    for component in COMPONENTS {
        for version in VERSIONS {
            let bad = component == "api" && Some(&version) == VERSIONS.last();
            let health = if bad { Health::Bad } else { Health::Good };
            told.push(shell::word(&line(component, version, version, health)?));
            let digest = registry.put(component, version, version, health).await?.to_string();
            images.insert((component.to_owned(), version.to_owned()), digest);
        }
    }
    let mut urls = Vec::new();
    for component in COMPONENTS {
        let url = format!("http://{}/v2/{}/tags/list", registry.address, app::repository(component));
        let tags: serde_json::Value = stage.http.get(&url).send().await?.json().await?;
        let tags: Vec<&str> = list(&tags["tags"]).iter().filter_map(|tag| tag.as_str()).collect();
        ensure!(tags == VERSIONS, "the registry has {tags:?} of {component}");
        stage.teller.saw(&format!("{}/{}: {}", registry.address, app::repository(component), tags.join(", ")));
        urls.push(url);
    }
    // It ends with its input.
    stage.teller.command(&format!("(printf '%s\\n' {}; cat) | plimsoll {SUBCOMMAND}", told.join(" ")));
    stage.teller.command(&format!("curl {}", urls.join(" ")));
    Ok((registry, images))
}

/// Connects the registry and makes a component of each repository; gives their ids by name.
pub(super) async fn add(
    stage: &Stage,
    people: &People,
    registry: &RegistryPart,
    images: &Images,
    kind: &Kind,
) -> Result<BTreeMap<String, String>> {
    let config = json!({ "url": format!("http://{}", registry.address), "insecure": true });
    let body = json!({ "name": "hub", "typeId": "oci_registry", "config": config });
    let mut commands = vec![("admin", format!("integration create {}", shell::data(&body)))];
    let hub = people.admin.post("/integrations", &body).await?;
    let hub = text(&hub, "id")?;
    let report = people.admin.post(&format!("/integrations/{hub}/test"), &json!({})).await?;
    for check in list(&report["checks"]) {
        let mark = if check["ok"] == true { "ok" } else { "FAILED" };
        stage.teller.saw(&format!("{mark} {}: {}", text(check, "name")?, text(check, "message")?));
    }
    ensure!(report["ok"] == true, "the registry's test failed: {report}");
    commands.push(("admin", "integration test hub".to_owned()));
    let mut components = BTreeMap::new();
    for name in COMPONENTS {
        let body = json!({
            "name": name, "registryIntegrationId": hub, "repository": app::repository(name),
            "runtime": app::runtime(kind, &stage.ledgers()), "labels": { "application": APPLICATION },
        });
        commands.push(("ada", format!("component create {}", shell::data(&body))));
        commands.extend(["sync", "versions"].map(|verb| ("ada", format!("component {verb} {name}"))));
        let made = people.ada.post("/components", &body).await?;
        let id = text(&made, "id")?.to_owned();
        let synced = people.ada.post(&format!("/components/{id}/sync-versions"), &json!({})).await?;
        ensure!(synced["added"] == VERSIONS.len(), "the sync of {name} found {synced}");
        let versions = people.ada.get(&format!("/components/{id}/versions?sort=version")).await?;
        for version in list(&versions) {
            let (tag, digest) = (text(version, "tag")?, text(version, "digest")?);
            let known = images.get(&(name.to_owned(), tag.to_owned()));
            ensure!(known.is_some_and(|known| known == digest), "{name}:{tag} is pinned to {digest}, never pushed");
            stage.teller.saw(&format!("{name}:{tag} = {}", short(digest)));
        }
        components.insert(name.to_owned(), id);
    }
    for (who, command) in commands {
        stage.teller.command_as(who, &command);
    }
    Ok(components)
}
