//! Versions of components: found in a real registry, in the order of versions, within bounds.

use std::sync::Arc;

use anyhow::Result;
use plimsoll_app::tasks::{Progress, component_sync};
use plimsoll_core::{component::Component, integration::Integration};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{component_version::StoredVersion, resource::Resource};
use plimsoll_testkit::{Image, Index, PATIENCE, Registry, eventually_async};
use serde_json::json;

use crate::{
    fake_registry::FakeRegistry,
    on_both_databases,
    support::{World, code, everything, fields, replace},
};

on_both_databases!(
    versions_are_found_with_what_they_are,
    a_moved_tag_leaves_a_trace,
    concurrent_calls_find_each_version_once,
    what_is_left_is_done_in_the_background,
    a_registry_that_has_enough_is_left_alone,
    an_unreachable_registry_changes_nothing,
    another_scheme_reads_the_same_tags_anew,
    a_component_that_is_gone_is_not_synced,
    versions_are_filtered_by_text_and_sorted_by_order,
);

async fn component(world: &World, url: &str) -> Result<(Integration, Component)> {
    let hub = world.registry(url).await?;
    let json = json!({"name": "api", "registryIntegrationId": hub.id, "repository": "shop/api"});
    Ok((hub, world.component(json).await?))
}

fn numbered(count: usize) -> FakeRegistry {
    FakeRegistry::new((0..count).map(|number| format!("1.{number}.0")))
}

async fn versions_are_found_with_what_they_are(world: World) -> Result<()> {
    let registry = Registry::start()?;
    let image = |text: &str| Image::empty().file("version", text.as_bytes(), 0o644);
    let labelled = image("1.2.0").label("org.opencontainers.image.revision", "abc123");
    labelled.push(&registry, "shop/api", "1.2.0").await?;
    image("1.9.0").push(&registry, "shop/api", "1.9.0").await?;
    let both = Index::default().with(image("a").architecture("amd64")).with(image("b").architecture("arm64"));
    let pushed = both.push(&registry, "shop/api", "1.10.0").await?;
    image("x").push(&registry, "shop/api", "latest").await?;
    image("y").push(&registry, "shop/api", "2.0.0-rc.1").await?;

    let (_, component) = component(&world, &registry.url()).await?;
    let synced = world.sync(component.id).await?;
    assert_eq!((synced.added, synced.skipped, synced.remaining, synced.done), (3, 2, 0, true), "{synced:?}");
    let versions = world.versions(component.id).await?;
    assert_eq!(versions.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["1.10.0", "1.9.0", "1.2.0"]);
    let index = &versions[0];
    assert_eq!(index.digest, pushed.digest);
    for (found, pushed) in index.platforms.iter().zip(&pushed.platforms) {
        assert_eq!((found.manifest, found.config), (pushed.manifest, pushed.config));
        assert_eq!(found.platform.architecture, pushed.architecture);
    }
    assert_eq!(index.platforms.len(), 2);
    assert_eq!(versions[2].source_revision.as_deref(), Some("abc123"));

    let again = world.sync(component.id).await?;
    assert_eq!((again.added, again.moved, again.unchanged), (0, 0, 3));
    let trail = world.trail().await?;
    assert_eq!(trail.iter().filter(|event| event.action == "component_sync_versions").count(), 3);
    Ok(())
}

async fn a_moved_tag_leaves_a_trace(world: World) -> Result<()> {
    let registry = Registry::start()?;
    let image = |text: &str| Image::empty().file("version", text.as_bytes(), 0o644);
    let before = image("first").push(&registry, "shop/api", "1.0.0").await?;
    let (_, component) = component(&world, &registry.url()).await?;
    world.sync(component.id).await?;
    let after = image("second").push(&registry, "shop/api", "1.0.0").await?;
    world.clock.forward(60);
    assert_eq!(world.sync(component.id).await?.moved, 1);
    let mut versions = world.versions(component.id).await?;
    versions.sort_by_key(|one| one.discovered_at);
    assert_eq!([versions[0].digest, versions[1].digest], [before.digest, after.digest]);
    assert_eq!([versions[0].superseded_at, versions[1].superseded_at], [Some(world.clock.now()), None]);
    let events = world.events("component").await?;
    let moved = events.iter().find(|event| event.kind == "component.tag_moved").expect("an event");
    assert_eq!((&moved.data["from"], &moved.data["to"]), (&json!(before.digest), &json!(after.digest)));
    // And back again: a third row, for the tag names the first digest anew.
    image("first").push(&registry, "shop/api", "1.0.0").await?;
    assert_eq!(world.sync(component.id).await?.moved, 1);
    assert_eq!(world.versions(component.id).await?.len(), 3);
    Ok(())
}

async fn concurrent_calls_find_each_version_once(world: World) -> Result<()> {
    let registry = numbered(3);
    let world = Arc::new(world.with_registries(registry.clone()));
    let (_, component) = component(&world, "http://127.0.0.1:1").await?;
    registry.close();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { world.sync(component.id).await })
        })
        .collect();
    eventually_async("one has the turn", PATIENCE, async || {
        world.count("SELECT count(*) FROM component_sync WHERE lease_until IS NOT NULL").await.map(|count| count == 1)
    })
    .await?;
    registry.open();
    // A call that comes while the first is at work joins it; one that comes after finds nothing new.
    let mut found_new = 0;
    for call in calls {
        let answer = call.await??;
        assert!(matches!((answer.added, answer.unchanged), (3, 0) | (0, 3)), "{answer:?}");
        found_new += u32::from(answer.added == 3);
    }
    assert!(found_new >= 1, "somebody found the versions");
    assert_eq!(world.versions(component.id).await?.len(), 3, "nothing is found twice");
    Ok(())
}

async fn what_is_left_is_done_in_the_background(world: World) -> Result<()> {
    let registry = numbered(620);
    let world = world.with_registries(registry.clone());
    let (_, component) = component(&world, "http://127.0.0.1:1").await?;
    let first = world.sync(component.id).await?;
    assert_eq!((first.added, first.remaining, first.done), (500, 120, false));
    assert_eq!(world.versions(component.id).await?[0].tag, "1.619.0");
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::More);
    assert_eq!(world.count("SELECT count(*) FROM component_version").await?, 620);
    // Then it rests until the next time.
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::Idle);
    world.clock.forward(700);
    let before = registry.calls();
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::More);
    let asked = registry.calls() - before;
    assert!((50..=100).contains(&asked), "the newest and some in turn, not all: {asked}");
    Ok(())
}

async fn a_registry_that_has_enough_is_left_alone(world: World) -> Result<()> {
    let registry = numbered(100);
    let world = world.with_registries(registry.clone());
    let (_, component) = component(&world, "http://127.0.0.1:1").await?;
    registry.limit_to(20);
    let synced = world.sync(component.id).await?;
    assert!(!synced.done && synced.added < 20 && synced.added + synced.remaining == 100, "{synced:?}");
    assert!(synced.failed[0].message.contains("limits"), "{synced:?}");
    assert!(registry.calls() < 40, "it was not asked on and on: {}", registry.calls());
    component_sync::step(Arc::clone(&world.app)).await?;
    world.clock.forward(10);
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::Idle, "it waits a minute");
    registry.unlimited();
    world.clock.forward(60);
    component_sync::step(Arc::clone(&world.app)).await?;
    assert_eq!(world.count("SELECT count(*) FROM component_version").await?, 100);
    Ok(())
}

async fn an_unreachable_registry_changes_nothing(world: World) -> Result<()> {
    let (hub, component) = component(&world, &format!("http://127.0.0.1:{}", plimsoll_testkit::free_port()?)).await?;
    assert_eq!(code(world.sync(component.id).await), "UPSTREAM_FAILED");
    assert_eq!(world.count("SELECT count(*) FROM component_version").await?, 0);
    assert_eq!(world.count("SELECT count(*) FROM component_sync WHERE lease_until IS NOT NULL").await?, 0);
    let caller = world.caller(Op::IntegrationUpdate);
    let off = json!({"name": "hub", "config": hub.config, "enabled": false});
    world.app.integration_update(&caller, hub.id, replace(off)).await?;
    assert_eq!(code(world.sync(component.id).await), "STATE_CONFLICT");
    let refused = world.trail().await?;
    assert_eq!(refused.iter().filter(|event| event.error_code.is_some()).count(), 2);
    Ok(())
}

async fn another_scheme_reads_the_same_tags_anew(world: World) -> Result<()> {
    let tags = ["1.2.0", "1.10.0", "2026.1"].map(str::to_owned);
    let world = world.with_registries(FakeRegistry::new(tags));
    let (hub, component) = component(&world, "http://127.0.0.1:1").await?;
    world.sync(component.id).await?;
    assert_eq!(world.versions(component.id).await?[0].version, "2026.1.0");
    let json = json!({
        "name": "api", "registryIntegrationId": hub.id, "repository": "shop/api", "versioning": {"scheme": "calver"},
    });
    world.app.component_update(&world.caller(Op::ComponentUpdate), component.id, replace(json)).await?;
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::More);
    let versions = world.versions(component.id).await?;
    assert_eq!(versions[0].version, "2026.1");
    assert_eq!(versions.len(), 3, "what the scheme does not read stays, at the end");
    Ok(())
}

async fn a_component_that_is_gone_is_not_synced(world: World) -> Result<()> {
    let world = world.with_registries(numbered(3));
    let (_, component) = component(&world, "http://127.0.0.1:1").await?;
    world.app.component_delete(&world.caller(Op::ComponentDelete), component.id).await?;
    assert_eq!(code(world.sync(component.id).await), "NOT_FOUND");
    assert_eq!(component_sync::step(Arc::clone(&world.app)).await?, Progress::More);
    assert_eq!(world.count("SELECT count(*) FROM work").await?, 0);
    assert_eq!(world.count("SELECT count(*) FROM component_version").await?, 0);
    Ok(())
}

async fn versions_are_filtered_by_text_and_sorted_by_order(world: World) -> Result<()> {
    let world = world.with_registries(numbered(30));
    let (_, component) = component(&world, "http://127.0.0.1:1").await?;
    world.sync(component.id).await?;
    let page = plimsoll_store::resource::Page {
        page: Some(2),
        page_size: Some(5),
        sort: Some("version".to_owned()),
        filter: Some(r#"{"version":{"$startsWith":"1.1"},"supersededAt":{"$exists":false}}"#.to_owned()),
        ..Default::default()
    };
    let query = plimsoll_store::resource::ListQuery::new(&StoredVersion::TABLE, &page, "-version")?;
    let caller = world.caller(Op::ComponentVersions);
    let found = world.app.component_versions(&caller, component.id, query).await?;
    let tags: Vec<_> = found.items.iter().map(|one| one.tag.as_str()).collect();
    assert_eq!(tags, ["1.14.0", "1.15.0", "1.16.0", "1.17.0", "1.18.0"]);
    assert_eq!((found.total.count(), found.has_next), (11, true));
    let unknown = plimsoll_store::resource::ListQuery::new(
        &StoredVersion::TABLE,
        &plimsoll_store::resource::Page { sort: Some("sortKey".to_owned()), ..Default::default() },
        "-version",
    );
    assert_eq!(fields(unknown), ["sort"]);
    let absent = world.app.context.id();
    let query = everything::<StoredVersion>("-version")?;
    assert_eq!(code(world.app.component_versions(&caller, absent, query).await), "NOT_FOUND");
    Ok(())
}
