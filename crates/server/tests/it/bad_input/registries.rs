//! Registries that are not there, and digests that no registry has.

use plimsoll_core::Digest;
use plimsoll_testkit::{Image, Registry, free_port};
use serde_json::{Value, json};

use super::{Before, case};
use crate::{on_both, world::World};

on_both! {
    a_registry_that_cannot_be_reached;
    a_digest_that_does_not_exist;
}

/// An integration with the registry at this URL, and a component in it: their ids.
pub async fn component_at(world: &World, url: &str) -> (String, String) {
    let config = json!({ "url": url, "insecure": true });
    let body = json!({ "name": "hub", "typeId": "oci_registry", "config": config });
    let hub = world.post("/api/v1/integrations", &body).await.id();
    let body = json!({ "name": "api", "registryIntegrationId": hub, "repository": "shop/api" });
    let component = world.post("/api/v1/components", &body).await.id();
    (hub, component)
}

/// A body of a release of one version of the component.
pub fn release_of(version: &str, part: Value, finalize: bool) -> Value {
    json!({ "name": "shop", "version": version, "components": [part], "finalize": finalize })
}

async fn a_registry_that_cannot_be_reached(world: &World) {
    let url = format!("http://127.0.0.1:{}", free_port().unwrap());
    let (hub, component) = component_at(world, &url).await;
    let before = Before::of(world).await;
    let digest = Digest::of(b"anything");
    before
        .refuses([
            case("a sync", "POST", format!("/api/v1/components/{component}/sync-versions")).is(
                422,
                "UPSTREAM_FAILED",
                "127.0.0.1",
            ),
            case("what it has", "POST", format!("/api/v1/integrations/{hub}/discover"))
                .body(json!({ "kind": "repository" }))
                .is(422, "UPSTREAM_FAILED", "127.0.0.1"),
            case("a release by digest", "POST", "/api/v1/releases")
                .body(release_of("1.0.0", json!({ "component": "api", "digest": digest }), true))
                .is(422, "UPSTREAM_FAILED", "components[0].digest"),
            case("a release by tag, never synced", "POST", "/api/v1/releases")
                .body(release_of("1.0.0", json!({ "component": "api", "tag": "1.0.0" }), true))
                .is(400, "VALIDATION_FAILED", "components[0].tag"),
        ])
        .await;
    // A test that fails is an answer: it says what is wrong, and the integration shows it. No row is added.
    let report = world.post(&format!("/api/v1/integrations/{hub}/test"), &json!({})).await;
    let report = report.data();
    assert_eq!(report["ok"], false, "{report}");
    assert!(report["checks"].to_string().contains("127.0.0.1"), "{report}");
    assert_eq!(world.get(&format!("/api/v1/integrations/{hub}")).await.data()["status"], "unhealthy");
    assert_eq!(world.get(&format!("/api/v1/components/{component}/versions")).await.data(), &json!([]));
}

async fn a_digest_that_does_not_exist(world: &World) {
    let registry = Registry::start().unwrap();
    let image = Image::empty().file("version", b"1", 0o644);
    let there = image.push(&registry, "shop/api", "1.0.0").await.unwrap().digest;
    let (_, component) = component_at(world, &registry.url()).await;
    world.post(&format!("/api/v1/components/{component}/sync-versions"), &json!({})).await.data();
    let draft = json!({ "name": "shop", "version": "0.1.0" });
    let draft = format!("/api/v1/releases/{}", world.post("/api/v1/releases", &draft).await.id());
    let before = Before::of(world).await;
    let absent = Digest::of(b"nobody pushed this");
    let part = json!({ "component": "api", "digest": absent });
    let replaced = json!({ "name": "shop", "version": "0.1.0", "components": [part] });
    before
        .refuses([
            case("a release of it", "POST", "/api/v1/releases").body(release_of("1.0.0", part.clone(), true)).is(
                422,
                "DIGEST_NOT_FOUND",
                "components[0].digest",
            ),
            case("a draft of it", "POST", "/api/v1/releases").body(release_of("1.0.0", part, false)).is(
                422,
                "DIGEST_NOT_FOUND",
                "components[0].digest",
            ),
            case("a draft that gets it", "PUT", &draft).body(replaced).is(
                422,
                "DIGEST_NOT_FOUND",
                "components[0].digest",
            ),
            case("a tag that names another", "POST", "/api/v1/releases")
                .body(release_of("1.0.0", json!({ "component": "api", "tag": "1.0.0", "digest": absent }), true))
                .is(400, "VALIDATION_FAILED", "components[0].digest"),
            case("a tag that nobody has", "POST", "/api/v1/releases")
                .body(release_of("1.0.0", json!({ "component": "api", "tag": "9.9.9" }), true))
                .is(400, "VALIDATION_FAILED", "components[0].tag"),
            case("words that are no digest", "POST", "/api/v1/releases")
                .body(release_of("1.0.0", json!({ "component": "api", "digest": "sha256:12" }), true))
                .is(400, "VALIDATION_FAILED", "components[0].digest"),
        ])
        .await;
    let body = release_of("1.0.0", json!({ "component": "api", "digest": there }), true);
    assert_eq!(world.post("/api/v1/releases", &body).await.data()["status"], "ready", "one that is there is taken");
}
