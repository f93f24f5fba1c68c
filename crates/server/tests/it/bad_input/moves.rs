//! Moves that the state of a thing does not allow.

use plimsoll_testkit::{Image, PATIENCE, Registry, eventually_async};
use serde_json::{Value, json};

use super::{
    Before, case,
    registries::{component_at, release_of},
};
use crate::{
    on_both,
    world::{Answer, World, all},
};

on_both! {
    moves_that_a_release_does_not_allow;
    moves_that_an_ended_promotion_does_not_allow;
    moves_that_an_ended_job_does_not_allow;
    what_was_used_or_is_referred_to;
}

/// A sealed release of one component that is really in a registry.
async fn sealed(world: &World) -> (Registry, String) {
    let registry = Registry::start().unwrap();
    Image::empty().file("version", b"1", 0o644).push(&registry, "shop/api", "1.0.0").await.unwrap();
    let (_, component) = component_at(world, &registry.url()).await;
    world.post(&format!("/api/v1/components/{component}/sync-versions"), &json!({})).await.data();
    let body = release_of("1.0.0", json!({ "component": "api", "tag": "1.0.0" }), true);
    (registry, world.post("/api/v1/releases", &body).await.id())
}

/// An environment with a target that no agent serves.
async fn environment(world: &World, name: &str) -> String {
    let environment = world.post("/api/v1/environments", &json!({ "name": name })).await.id();
    let target = json!({ "environmentId": environment, "name": format!("{name}-1"), "type": "docker_host" });
    world.post("/api/v1/targets", &target).await.id();
    environment
}

async fn until(world: &World, path: &str, what: &str, done: impl Fn(&Value) -> bool) -> Value {
    eventually_async(what, PATIENCE, async || {
        plimsoll_testkit::breath().await;
        let seen = world.get(path).await.data().clone();
        if done(&seen) { Ok(seen) } else { Err(seen.to_string()) }
    })
    .await
    .unwrap()
}

async fn moves_that_a_release_does_not_allow(world: &World) {
    let (_registry, id) = sealed(world).await;
    let ready = format!("/api/v1/releases/{id}");
    let draft = world.post("/api/v1/releases", &json!({ "name": "other", "version": "1" })).await.id();
    let draft = format!("/api/v1/releases/{draft}");
    let environment = environment(world, "dev").await;
    let before = Before::of(world).await;
    let change = json!({ "name": "shop", "version": "2.0.0", "components": [] });
    let promote = |id: &str| json!({ "releaseId": id, "targetEnvironmentId": environment });
    before
        .refuses([
            case("a sealed release, changed", "PUT", &ready).body(change).is(409, "RELEASE_SEALED", "sealed"),
            case("a sealed release, opened", "PUT", &ready).body(json!({ "status": "draft" })).is(
                409,
                "STATE_CONFLICT",
                "ready",
            ),
            case("an empty draft, sealed", "PUT", &draft).body(json!({ "status": "ready" })).is(
                400,
                "VALIDATION_FAILED",
                "components",
            ),
            case("a draft, deprecated", "POST", format!("{draft}/deprecate")).body(json!({ "reason": "old" })).is(
                409,
                "STATE_CONFLICT",
                "draft",
            ),
            case("a draft, promoted", "POST", "/api/v1/promotions")
                .body(promote(draft.rsplit('/').next().unwrap()))
                .is(422, "RELEASE_NOT_READY", "draft"),
            case("a version that there is", "POST", "/api/v1/releases")
                .body(json!({ "name": "shop", "version": "1.0.0" }))
                .is(409, "ALREADY_EXISTS", "shop@1.0.0"),
            case("a rollback where nothing was", "POST", "/api/v1/rollbacks")
                .body(json!({ "environmentId": environment, "reason": "it loses orders" }))
                .is(422, "NOTHING_TO_ROLL_BACK_TO", "deployed"),
        ])
        .await;
    world.post(&format!("{ready}/deprecate"), &json!({ "reason": "loses orders", "block": true })).await.data();
    let before = Before::of(world).await;
    before
        .refuses([
            case("a deprecated release, made ready", "PUT", &ready).body(json!({ "status": "ready" })).is(
                409,
                "STATE_CONFLICT",
                "deprecated",
            ),
            case("a blocked release, promoted", "POST", "/api/v1/promotions").body(promote(&id)).is(
                422,
                "RELEASE_DEPRECATED",
                "loses orders",
            ),
        ])
        .await;
}

/// A user with the role `approver`, and their token.
async fn approver(world: &World, name: &str) -> String {
    let id = world.post("/api/v1/users", &json!({ "name": name })).await.id();
    let roles = world.get("/api/v1/roles?filter={\"name\":\"approver\"}").await;
    let role = roles.data()[0]["id"].clone();
    let body = json!({ "roleId": role, "principal": { "type": "user", "id": id }, "reason": "their work" });
    world.post("/api/v1/role-bindings", &body).await.id();
    world.token(world.home, id.parse().unwrap(), all())
}

async fn moves_that_an_ended_promotion_does_not_allow(world: &World) {
    let (_registry, release) = sealed(world).await;
    let environment = environment(world, "prod").await;
    let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    let policy = json!({ "name": "prod", "environmentIds": [environment], "rules": rules, "reason": "it matters" });
    world.post("/api/v1/approval-policies", &policy).await.id();
    let (ada, grace) = (approver(world, "ada").await, approver(world, "grace").await);
    let ask = json!({ "releaseId": release, "targetEnvironmentId": environment });
    let asked = world.call("POST", "/api/v1/promotions", Some(&ada), Some(&ask)).await;
    let (id, hash) = (asked.id(), asked.data()["subjectHash"].clone());
    let path = format!("/api/v1/promotions/{id}");

    let waiting = Before::of(world).await;
    let approve = |hash: &Value| json!({ "subjectHash": hash, "comment": "fine" });
    let own = case("one's own, approved", "POST", format!("{path}/approve")).body(approve(&hash));
    waiting.refuses_to(&ada, own.is(403, "SEPARATION_OF_DUTIES", "")).await;
    let other = approve(&json!(format!("sha256:{}", "0".repeat(64))));
    let blind = case("what was not shown, approved", "POST", format!("{path}/approve")).body(other);
    waiting.refuses_to(&grace, blind.is(409, "SUBJECT_CHANGED", "")).await;
    let twice = case("asked for twice", "POST", "/api/v1/promotions").body(ask);
    waiting.refuses_to(&ada, twice.is(409, "PROMOTION_ALREADY_OPEN", "")).await;
    let held = case("let go what nothing holds", "POST", format!("{path}/resume")).body(json!({}));
    waiting.refuses_to(&ada, held.is(409, "STATE_CONFLICT", "not held")).await;

    let said = json!({ "comment": "not today" });
    let rejected = world.call("POST", &format!("{path}/reject"), Some(&grace), Some(&said)).await;
    assert_eq!(rejected.data()["status"], "rejected");
    let ended = Before::settled(world).await;
    for (what, word, body, code) in [
        ("a rejected one, approved", "approve", approve(&hash), "ALREADY_DECIDED"),
        ("a rejected one, rejected", "reject", said, "ALREADY_DECIDED"),
        ("a rejected one, cancelled", "cancel", json!({}), "STATE_CONFLICT"),
        ("a rejected one, let go", "resume", json!({}), "STATE_CONFLICT"),
    ] {
        ended
            .refuses_to(&grace, case(what, "POST", format!("{path}/{word}")).body(body).is(409, code, "rejected"))
            .await;
    }
}

async fn moves_that_an_ended_job_does_not_allow(world: &World) {
    let (_registry, release) = sealed(world).await;
    let environment = environment(world, "dev").await;
    let ask = json!({ "releaseId": release, "targetEnvironmentId": environment });
    let promotion = format!("/api/v1/promotions/{}", world.post("/api/v1/promotions", &ask).await.id());
    // No agent serves the target: the job ends by itself.
    let ended = until(world, &promotion, "the promotion's end", |seen| seen["status"] == "failed").await;
    let job = format!("/api/v1/deployment-jobs/{}", ended["deploymentJobId"].as_str().unwrap());
    until(world, &job, "the job's end", |seen| seen["status"] == "failed").await;
    let before = Before::settled(world).await;
    before
        .refuses([
            case("an ended job, cancelled", "POST", format!("{job}/cancel")).body(json!({ "rollback": true })).is(
                409,
                "STATE_CONFLICT",
                "failed",
            ),
            case("its promotion, cancelled", "POST", format!("{promotion}/cancel")).body(json!({})).is(
                409,
                "STATE_CONFLICT",
                "failed",
            ),
            case("its promotion, rejected", "POST", format!("{promotion}/reject"))
                .body(json!({ "comment": "too late" }))
                .is(409, "ALREADY_DECIDED", "failed"),
        ])
        .await;
}

async fn what_was_used_or_is_referred_to(world: &World) {
    let environment = environment(world, "dev").await;
    let (hub, _) = component_at(world, "http://127.0.0.1:1").await;
    let before = Before::settled(world).await;
    before
        .refuses([
            case("an environment with a target", "DELETE", format!("/api/v1/environments/{environment}"))
                .is(409, "IN_USE", ""),
            case("an integration with a component", "DELETE", format!("/api/v1/integrations/{hub}"))
                .is(409, "IN_USE", ""),
            case("a name that is taken", "POST", "/api/v1/environments").body(json!({ "name": "dev" })).is(
                409,
                "ALREADY_EXISTS",
                "another environment has this name",
            ),
        ])
        .await;
    let path = format!("/api/v1/environments/{environment}");
    let body = json!({ "name": "development" });
    let late = world.request("PUT", &path, Some(&world.admin)).header("If-Match", "\"7\"").json(&body);
    let late: Answer = World::read(late).await;
    before.refused("a change of what was not seen", late, 409, "VERSION_MISMATCH", "").await;
}
