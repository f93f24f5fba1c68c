//! Releases: what they name must exist, what is sealed never changes, what is used stays.

use anyhow::Result;
use plimsoll_core::{
    Digest,
    component::Component,
    id::ReleaseId,
    release::{Release, ReleaseStatus, SealedRelease},
};
use plimsoll_protocol::{operation::OperationId as Op, release::FromLatestAnswer};
use plimsoll_store::{Scope, release as rows};
use plimsoll_testkit::{Image, Registry};
use serde_json::{Value, json};

use crate::{
    fake_registry::FakeRegistry,
    on_both_databases,
    support::{World, answer, body, code, fields, replace},
};

on_both_databases!(
    a_draft_becomes_ready_and_stays_what_it_is,
    a_component_changed_later_touches_drafts_alone,
    what_it_names_must_exist_and_agree,
    a_digest_is_looked_for_in_the_registry,
    a_sealed_release_changes_in_notes_and_labels_alone,
    a_get_can_be_put_back,
    whoever_makes_it_is_remembered,
    what_it_holds_cannot_be_removed,
    the_latest_versions_are_chosen_with_reasons,
    a_deprecated_release_says_why,
    two_releases_are_compared,
    one_of_two_with_the_same_version_is_made,
);

/// Two components with versions, `api` needing `db`.
struct Shop {
    world: World,
    registry: FakeRegistry,
    api: Component,
    db: Component,
}

async fn shop(world: World) -> Result<Shop> {
    let registry = FakeRegistry::new(["1.0.0", "1.1.0", "1.10.0", "2.0.0-rc.1"].map(str::to_owned));
    let world = world.with_registries(registry.clone());
    let hub = world.registry("http://127.0.0.1:1").await?.id;
    let runtime = json!({"environment": {"LEVEL": "info"}});
    let db = json!({"name": "db", "registryIntegrationId": hub, "repository": "shop/db"});
    let db = world.component(db).await?;
    let api = json!({
        "name": "api", "registryIntegrationId": hub, "repository": "shop/api", "dependsOn": [db.id], "runtime": runtime,
        "versioning": {"allowPrerelease": true},
    });
    let api = world.component(api).await?;
    world.sync(api.id).await?;
    world.sync(db.id).await?;
    Ok(Shop { world, registry, api, db })
}

impl Shop {
    async fn create(&self, json: Value) -> plimsoll_core::Result<Release> {
        let caller = self.world.caller(Op::ReleaseCreate);
        let reply = self.world.app.release_create(&caller, body(json)).await?;
        Ok(answer(&reply).unwrap())
    }

    async fn put(&self, id: ReleaseId, json: Value) -> plimsoll_core::Result<Release> {
        let caller = self.world.caller(Op::ReleaseUpdate);
        let reply = self.world.app.release_update(&caller, id, replace(json)).await?;
        Ok(answer(&reply).unwrap())
    }

    async fn sealed(&self, id: ReleaseId) -> Result<(SealedRelease, Digest)> {
        Ok(self.world.app.store.read(Scope::Tenant(self.world.tenant), "test", move |tx| rows::seal(tx, id)).await?)
    }
}

fn of(version: &str, api: &str) -> Value {
    json!({
        "name": "shop", "version": version,
        "components": [{"component": "api", "tag": api}, {"component": "db", "version": "1.0"}],
    })
}

async fn a_draft_becomes_ready_and_stays_what_it_is(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let draft = shop.create(of("1", "1.1.0")).await?;
    assert_eq!((draft.status, draft.digest), (ReleaseStatus::Draft, None));
    assert_eq!(draft.components[1].tag, "1.0.0", "a version is found however it is written");
    let refusal = shop.sealed(draft.id).await.unwrap_err();
    assert!(refusal.to_string().starts_with("RELEASE_NOT_READY"), "{refusal}");

    shop.world.clock.forward(1);
    let ready = shop.put(draft.id, json!({"status": "ready"})).await?;
    assert_eq!((ready.status, ready.revision), (ReleaseStatus::Ready, 2));
    let (sealed, digest) = shop.sealed(draft.id).await?;
    assert_eq!((ready.digest, sealed.digest()?), (Some(digest), digest));
    assert_eq!(sealed.components.iter().map(|one| one.component.as_str()).collect::<Vec<_>>(), ["db", "api"]);
    assert_eq!(sealed.components[1].platforms.len(), 1);

    shop.world.clock.forward(1);
    let at_once = shop.create(json!({
        "name": "shop", "version": "2", "finalize": true, "variables": {"REGION": "eu"},
        "components": [{"component": "db", "tag": "1.0.0", "config": {"environment": {"A": "b"}}}],
    }));
    let at_once = at_once.await?;
    let (sealed, digest) = shop.sealed(at_once.id).await?;
    assert_eq!(at_once.digest, Some(digest));
    assert_eq!(sealed.components[0].runtime.environment["A"], "b");
    let kinds: Vec<_> = shop.world.events("release").await?.into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["release.created", "release.updated", "release.sealed", "release.created", "release.sealed"]);
    Ok(())
}

async fn a_component_changed_later_touches_drafts_alone(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let (one, two) = (shop.create(of("1", "1.1.0")).await?, shop.create(of("2", "1.1.0")).await?);
    let before = shop.put(one.id, json!({"status": "ready"})).await?;
    let changed = json!({
        "name": "api", "registryIntegrationId": shop.api.registry_integration_id, "repository": "shop/api",
        "dependsOn": [shop.db.id], "runtime": {"environment": {"LEVEL": "debug"}},
    });
    shop.world.app.component_update(&shop.world.caller(Op::ComponentUpdate), shop.api.id, replace(changed)).await?;
    shop.put(two.id, json!({"status": "ready"})).await?;
    let level = async |id| -> Result<String> {
        let (sealed, _) = shop.sealed(id).await?;
        Ok(sealed.component(shop.api.id).unwrap().runtime.environment["LEVEL"].clone())
    };
    assert_eq!((level(one.id).await?, level(two.id).await?), ("info".to_owned(), "debug".to_owned()));
    let read = shop.world.app.release_get(&shop.world.caller(Op::ReleaseGet), one.id).await?;
    assert_eq!(read.digest, before.digest);
    Ok(())
}

async fn what_it_names_must_exist_and_agree(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let nobody: uuid::Uuid = shop.world.app.context.uuid();
    let digest = Digest::of(b"1.0.0");
    let of = |parts: Value| json!({"name": "shop", "version": "1", "components": parts});
    for (parts, wrong) in [
        (
            json!([{"component": "web", "tag": "1.0.0"}, {"componentId": nobody, "tag": "1.0.0"}]),
            vec!["components[0].component", "components[1].componentId"],
        ),
        (
            json!([{"component": "api", "tag": "9"}, {"component": "db", "version": "7"}]),
            vec!["components[0].tag", "components[1].version"],
        ),
        (json!([{"component": "api", "versionId": nobody}]), vec!["components[0].versionId"]),
        (json!([{"component": "api", "componentId": shop.db.id, "tag": "1.0.0"}]), vec!["components[0].component"]),
        (json!([{"component": "api", "tag": "1.1.0", "digest": digest}]), vec!["components[0].digest"]),
        (json!([{"component": "api", "tag": "1.1.0", "version": "1.0.0"}]), vec!["components[0].version"]),
        (
            json!([{"component": "api", "tag": "1.0.0"}, {"componentId": shop.api.id, "tag": "1.1.0"}]),
            vec!["components[1].componentId"],
        ),
    ] {
        assert_eq!(fields(shop.create(of(parts.clone())).await), wrong, "{parts}");
    }
    // What is needed and not there is found when it is sealed.
    let mut alone = of(json!([{"component": "api", "tag": "1.0.0"}]));
    let draft = shop.create(alone.clone()).await?;
    assert_eq!(fields(shop.put(draft.id, json!({"status": "ready"})).await), ["components[0].componentId"]);
    alone["finalize"] = json!(true);
    alone["version"] = json!("2");
    assert_eq!(fields(shop.create(alone).await), ["components[0].componentId"]);
    assert_eq!(fields(shop.create(json!({"name": "shop", "version": "3", "finalize": true})).await), ["components"]);
    assert_eq!(shop.world.count("SELECT count(*) FROM release").await?, 1);
    assert_eq!(shop.world.count("SELECT count(*) FROM release_seal").await?, 0);
    Ok(())
}

async fn a_digest_is_looked_for_in_the_registry(world: World) -> Result<()> {
    let registry = Registry::start()?;
    let pushed = Image::empty().push(&registry, "shop/api", "1.0.0").await?;
    let hidden = Image::empty().file("x", b"y", 0o644).push(&registry, "shop/api", "nightly").await?;
    let hub = world.registry(&registry.url()).await?.id;
    let api = json!({"name": "api", "registryIntegrationId": hub, "repository": "shop/api"});
    let api = world.component(api).await?;
    world.sync(api.id).await?;
    let create = async |version: &str, digest: Digest| -> plimsoll_core::Result<Release> {
        let json = json!({
            "name": "shop", "version": version, "finalize": true, "components": [{"component": "api", "digest": digest}],
        });
        let reply = world.app.release_create(&world.caller(Op::ReleaseCreate), body(json)).await?;
        Ok(answer::<Release>(&reply).unwrap())
    };
    assert_eq!(create("1", pushed.digest).await?.components[0].tag, "1.0.0");
    // No sync has seen it, and it is there.
    let made: Release = create("2", hidden.digest).await?;
    assert_eq!(made.components[0].digest, hidden.digest);
    let again = create("3", hidden.digest).await?;
    assert_eq!(again.components[0].version_id, made.components[0].version_id);
    let refusal = create("4", Digest::of(b"nothing")).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "DIGEST_NOT_FOUND");
    assert!(refusal.message().starts_with("components[0].digest: "), "{refusal:?}");
    // It is never the latest.
    let latest = json!({"name": "shop", "version": "5", "dryRun": true, "components": {"api": "*"}});
    let reply = world.app.release_from_latest(&world.caller(Op::ReleaseFromLatest), body(latest)).await?;
    assert_eq!(answer::<FromLatestAnswer>(&reply)?.chosen[0].tag, "1.0.0");
    // A registry that is away is told, and nothing is made.
    drop(registry);
    assert_eq!(code(create("6", pushed.digest).await), "UPSTREAM_FAILED");
    assert_eq!(world.count("SELECT count(*) FROM release").await?, 3);
    Ok(())
}

async fn a_sealed_release_changes_in_notes_and_labels_alone(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let mut json = of("1", "1.1.0");
    json["finalize"] = json!(true);
    let ready = shop.create(json).await?;
    let noted = shop.put(ready.id, json!({"notes": "mind the gap", "labels": {"team": "shop"}})).await?;
    assert_eq!((noted.notes.as_deref(), noted.digest), (Some("mind the gap"), ready.digest));
    let refusal = shop.put(ready.id, of("1", "1.0.0")).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "RELEASE_SEALED");
    assert_eq!(refusal.public_details().unwrap()["fields"], json!(["components"]));
    assert_eq!(code(shop.put(ready.id, json!({"status": "draft"})).await), "STATE_CONFLICT");
    assert_eq!(fields(shop.put(ready.id, json!({"status": "deprecated"})).await), ["status"]);
    let refused = shop.world.trail().await?;
    assert_eq!(refused.iter().filter(|event| event.error_code.as_deref() == Some("RELEASE_SEALED")).count(), 1);
    Ok(())
}

async fn a_get_can_be_put_back(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let made = shop.create(of("1", "1.1.0")).await?;
    // The component goes on under another name; the release keeps the one it had.
    let renamed = json!({
        "name": "backend", "registryIntegrationId": shop.api.registry_integration_id, "repository": "shop/api",
        "dependsOn": [shop.db.id], "versioning": shop.api.versioning,
    });
    shop.world.app.component_update(&shop.world.caller(Op::ComponentUpdate), shop.api.id, replace(renamed)).await?;
    let calls = shop.registry.calls();
    for status in ["draft", "ready"] {
        let sent = json!({
            "name": made.name, "version": made.version, "status": status, "components": made.components,
            "variables": made.variables, "labels": made.labels,
        });
        let put = shop.put(made.id, sent).await?;
        assert_eq!(put.components, made.components);
        assert_eq!(put.status.as_str(), status);
    }
    assert_eq!(shop.registry.calls(), calls, "nothing was asked about what is known");
    Ok(())
}

async fn whoever_makes_it_is_remembered(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let app = &shop.world.app;
    // Each caller of this world is another person.
    let people: Vec<_> = (0..4).map(|_| shop.world.caller(Op::ReleaseUpdate)).collect();
    let users: Vec<_> = people.iter().map(|one| one.principal.user).collect();
    let made = app.release_create(&people[0], body(of("1", "1.1.0"))).await?;
    let id = answer::<Release>(&made)?.id;
    app.release_update(&people[1], id, replace(of("1", "1.0.0"))).await?;
    app.release_update(&people[2], id, replace(json!({"notes": "only words"}))).await?;
    app.release_update(&people[3], id, replace(json!({"status": "ready"}))).await?;
    let release = app.release_get(&people[0], id).await?;
    assert_eq!(release.created_by, users[0]);
    assert_eq!(release.makers, [users[0], users[1], users[3]]);
    Ok(())
}

async fn what_it_holds_cannot_be_removed(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let app = &shop.world.app;
    let made = shop.create(json!({
        "name": "shop", "version": "1", "components": [{"component": "api", "tag": "1.0.0"}],
    }));
    let made = made.await?;
    let delete = shop.world.caller(Op::ComponentDelete);
    let refusal = app.component_delete(&delete, shop.api.id).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "IN_USE");
    assert_eq!(refusal.public_details().unwrap()["references"][0]["name"], json!("shop@1"));
    app.release_delete(&shop.world.caller(Op::ReleaseDelete), made.id).await?;
    app.component_delete(&delete, shop.api.id).await?;
    assert_eq!(code(app.release_get(&delete, made.id).await), "NOT_FOUND");
    shop.create(json!({"name": "shop", "version": "1"})).await?;
    Ok(())
}

async fn the_latest_versions_are_chosen_with_reasons(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let call = async |json: Value| {
        shop.world.app.release_from_latest(&shop.world.caller(Op::ReleaseFromLatest), body(json)).await
    };
    let dry = json!({"name": "shop", "version": "1", "components": {"api": "~1.1", "db": "*"}, "dryRun": true});
    let reply = call(dry).await?;
    let answered: FromLatestAnswer = answer(&reply)?;
    assert_eq!(reply.answer.status, 200);
    assert_eq!(answered.chosen.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["1.1.0", "1.10.0"]);
    assert!(answered.chosen[1].reason.contains("latest"), "{answered:?}");
    assert_eq!(shop.world.count("SELECT count(*) FROM release").await?, 0);

    let real = json!({"name": "shop", "version": "1", "components": {"api": "*", "db": "*"}, "finalize": true});
    let reply = call(real).await?;
    let made = answer::<FromLatestAnswer>(&reply)?.release.unwrap();
    assert_eq!(reply.answer.status, 201);
    assert_eq!(reply.answer.location.as_deref(), Some(format!("/api/v1/releases/{}", made.id).as_str()));
    assert_eq!((made.status, made.components[0].tag.as_str()), (ReleaseStatus::Ready, "2.0.0-rc.1"));

    let none = json!({"name": "shop", "version": "2", "components": {"api": "^7", "db": "~3"}});
    let refusal = call(none).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "NO_MATCHING_VERSION");
    assert!(refusal.message().contains("api (^7)") && refusal.message().contains("db (~3)"), "{refusal:?}");
    let unknown = json!({"name": "shop", "version": "2", "components": {"web": "*", "api": "what?"}});
    assert_eq!(fields(call(unknown).await), ["components.web"]);
    let bad = json!({"name": "shop", "version": "2", "components": {"api": "what?"}});
    assert_eq!(fields(call(bad).await), ["components.api"]);
    Ok(())
}

async fn a_deprecated_release_says_why(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let made = shop.create(of("1", "1.1.0")).await?;
    let deprecate = async || {
        let body = body(json!({"reason": "loses orders", "block": true}));
        shop.world.app.release_deprecate(&shop.world.caller(Op::ReleaseDeprecate), made.id, body).await
    };
    assert_eq!(code(deprecate().await), "STATE_CONFLICT");
    shop.put(made.id, json!({"status": "ready"})).await?;
    let after: Release = answer(&deprecate().await?)?;
    let why = after.deprecation.unwrap();
    assert_eq!((after.status, why.reason.as_str(), why.block), (ReleaseStatus::Deprecated, "loses orders", true));
    Ok(())
}

async fn two_releases_are_compared(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let mut first = of("1", "1.1.0");
    first["finalize"] = json!(true);
    let first = shop.create(first).await?;
    let second = shop.create(json!({
        "name": "shop", "version": "2", "variables": {"A": "1"}, "components": [
            {"component": "api", "tag": "2.0.0-rc.1"}, {"component": "db", "tag": "1.0.0"},
        ],
    }));
    let second = second.await?;
    let caller = shop.world.caller(Op::ReleaseCompare);
    let compared = shop.world.app.release_compare(&caller, first.id, second.id).await?;
    assert_eq!((compared.changed.len(), compared.unchanged.len(), compared.variables.len()), (1, 1, 1));
    assert_eq!(serde_json::to_value(compared.changed[0].bump)?, json!("major"));
    assert!(!compared.changed[0].downgrade);
    let back = shop.world.app.release_compare(&caller, second.id, first.id).await?;
    assert!(back.changed[0].downgrade);
    Ok(())
}

async fn one_of_two_with_the_same_version_is_made(world: World) -> Result<()> {
    let shop = shop(world).await?;
    for round in 0..5 {
        let calls: Vec<_> = (0..2)
            .map(|_| {
                let (app, caller) = (std::sync::Arc::clone(&shop.world.app), shop.world.caller(Op::ReleaseCreate));
                let json = of(&format!("1.{round}"), "1.1.0");
                tokio::spawn(async move { app.release_create(&caller, body(json)).await })
            })
            .collect();
        let mut refused = 0;
        for call in calls {
            if let Err(error) = call.await? {
                assert_eq!(error.code().as_str(), "ALREADY_EXISTS");
                refused += 1;
            }
        }
        assert_eq!(refused, 1);
    }
    // And a change into a version that is taken.
    let made = shop.create(of("9", "1.1.0")).await?;
    assert_eq!(code(shop.put(made.id, of("1.0", "1.1.0")).await), "ALREADY_EXISTS");
    Ok(())
}
