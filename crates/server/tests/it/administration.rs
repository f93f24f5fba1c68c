//! Users, clients, roles and bindings: nobody gets more than an administrator granted.

use plimsoll_core::{
    id::{TenantId, TypedId as _},
    permission::{Grant, Grants, Permission},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    on_both,
    world::{Answer, World},
};

on_both! {
    nobody_gives_what_they_do_not_hold;
    nobody_edits_a_role_that_they_hold_nor_a_built_in_one;
    nobody_takes_over_somebody_with_more_rights;
    a_role_in_one_environment_is_guarded;
    the_last_administrator_stays;
    two_administrators_cannot_remove_each_other;
    tenants_are_made_at_home_and_know_nothing_of_each_other;
    users_come_and_go;
    what_is_referred_to_stays;
}

const NAME: &str = "ada";

fn held(permissions: &[Permission]) -> Grants {
    Grants::new(permissions.iter().map(|permission| Grant { permission: *permission, environment: None }))
}

/// The token of somebody who holds just these, and is a user of the tenant.
async fn somebody(world: &World, name: &str, permissions: &[Permission]) -> (String, String) {
    let id = world.post("/api/v1/users", &json!({ "name": name })).await.id();
    let token = world.token(world.home, id.parse().unwrap(), held(permissions));
    (id, token)
}

async fn post_as(world: &World, token: &str, path: &str, body: Value) -> Answer {
    world.call("POST", path, Some(token), Some(&body)).await
}

async fn role(world: &World, name: &str, permissions: &[&str]) -> String {
    world.post("/api/v1/roles", &json!({ "name": name, "permissions": permissions })).await.id()
}

fn to(kind: &str, id: &str) -> Value {
    json!({ "type": kind, "id": id })
}

async fn nobody_gives_what_they_do_not_hold(world: &World) {
    let (id, token) = somebody(world, NAME, &[Permission::RoleWrite, Permission::ReleaseRead]).await;
    let refused = post_as(world, &token, "/api/v1/roles", json!({ "name": "x", "permissions": ["tenant:create"] }));
    let refused = refused.await.expect(403, "PERMISSION_DENIED");
    assert_eq!(refused.body["error"]["details"]["permission"], "tenant:create");
    let made = post_as(world, &token, "/api/v1/roles", json!({ "name": "y", "permissions": ["release:read"] })).await;
    assert_eq!(made.status, StatusCode::CREATED);

    let strong = role(world, "strong", &["release:read", "user:write"]).await;
    for principal in [to("user", &id), to("user", &world.post("/api/v1/users", &json!({ "name": "b" })).await.id())] {
        let body = json!({ "roleId": strong, "principal": principal });
        let refused = post_as(world, &token, "/api/v1/role-bindings", body).await.expect(403, "PERMISSION_DENIED");
        assert_eq!(refused.body["error"]["details"]["permission"], "user:write");
    }
    // A role of one's own, widened by somebody else, widens nobody who may not have it.
    let path = format!("/api/v1/roles/{}", made.id());
    let wider = json!({ "name": "y", "permissions": ["release:read", "user:write"] });
    world.call("PUT", &path, Some(&token), Some(&wider)).await.expect(403, "PERMISSION_DENIED");
    let same = json!({ "name": "y", "description": "readers", "permissions": ["release:read"] });
    assert_eq!(world.call("PUT", &path, Some(&token), Some(&same)).await.status, StatusCode::OK);
}

async fn nobody_edits_a_role_that_they_hold_nor_a_built_in_one(world: &World) {
    let (id, token) = somebody(world, NAME, Permission::ALL).await;
    let own = role(world, "own", &["release:read"]).await;
    world.post("/api/v1/role-bindings", &json!({ "roleId": own, "principal": to("user", &id) })).await.id();
    let body = json!({ "name": "own", "permissions": ["release:read", "release:create"] });
    world
        .call("PUT", &format!("/api/v1/roles/{own}"), Some(&token), Some(&body))
        .await
        .expect(403, "PERMISSION_DENIED");
    assert_eq!(
        world.call("PUT", &format!("/api/v1/roles/{own}"), Some(&world.admin), Some(&body)).await.status,
        StatusCode::OK
    );

    let roles = world.get("/api/v1/roles?filter={\"builtIn\":true}").await;
    assert_eq!(roles.data().as_array().map(Vec::len), Some(8));
    let built_in = roles.data()[0]["id"].as_str().unwrap();
    let path = format!("/api/v1/roles/{built_in}");
    let body = json!({ "name": "mine", "permissions": ["release:read"] });
    world.call("PUT", &path, Some(&world.admin), Some(&body)).await.expect(422, "RULE_VIOLATED");
    world.call("DELETE", &path, Some(&world.admin), None).await.expect(422, "RULE_VIOLATED");
}

async fn nobody_takes_over_somebody_with_more_rights(world: &World) {
    let boss = world.post("/api/v1/users", &json!({ "name": "boss" })).await.id();
    let strong = role(world, "strong", &["release:read", "role:write"]).await;
    world.post("/api/v1/role-bindings", &json!({ "roleId": strong, "principal": to("user", &boss) })).await.id();
    let owner = world.post("/api/v1/users", &json!({ "name": "owner" })).await.id();
    let client = world.post("/api/v1/clients", &json!({ "name": "ci", "ownerId": owner })).await.id();
    world.post("/api/v1/role-bindings", &json!({ "roleId": strong, "principal": to("client", &client) })).await.id();

    let rights = [Permission::UserWrite, Permission::ClientWrite, Permission::ReleaseRead];
    let (helper, token) = somebody(world, "helper", &rights).await;
    let body = json!({ "name": "boss", "password": "a quiet mill by the river" });
    let path = format!("/api/v1/users/{boss}");
    world.call("PUT", &path, Some(&token), Some(&body)).await.expect(403, "PERMISSION_DENIED");
    let path = format!("/api/v1/clients/{client}");
    for body in
        [json!({ "name": "ci", "ownerId": owner, "rotateSecret": true }), json!({ "name": "ci", "ownerId": helper })]
    {
        world.call("PUT", &path, Some(&token), Some(&body)).await.expect(403, "PERMISSION_DENIED");
    }
    let harmless = json!({ "name": "ci", "description": "builds", "ownerId": owner });
    assert_eq!(world.call("PUT", &path, Some(&token), Some(&harmless)).await.status, StatusCode::OK);
}

async fn a_role_in_one_environment_is_guarded(world: &World) {
    let environment = world.post("/api/v1/environments", &json!({ "name": "prod" })).await.id();
    let (id, token) = somebody(world, NAME, &[Permission::RoleWrite, Permission::PromotionApprove]).await;
    let approver = role(world, "signer", &["promotion:approve"]).await;
    let mut body = json!({ "roleId": approver, "principal": to("user", &id), "environmentId": environment });
    let path = "/api/v1/role-bindings";
    let refused = post_as(world, &token, path, body.clone()).await.expect(403, "PERMISSION_DENIED");
    assert_eq!(refused.body["error"]["details"]["permission"], "governance:change");
    let unsaid = world.post(path, &body).await.expect(400, "VALIDATION_FAILED");
    assert_eq!(unsaid.body["error"]["validationErrors"][0]["field"], "reason");
    body["reason"] = json!("she leads the team");
    let made = world.post(path, &body).await;
    assert_eq!((made.status, &made.data()["environmentId"]), (StatusCode::CREATED, &json!(environment)));
    world.post(path, &body).await.expect(409, "ALREADY_EXISTS");
    let said = world.audit().await.into_iter().find(|event| event["resourceId"] == made.id()).unwrap();
    assert_eq!(said["change"]["reason"], "she leads the team");

    let one = format!("{path}/{}", made.id());
    world.call("DELETE", &one, Some(&world.admin), None).await.expect(400, "VALIDATION_FAILED");
    let gone = world.call("DELETE", &format!("{one}?reason=left"), Some(&world.admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    for (field, wrong) in [
        ("roleId", json!(crate::examples::NOBODY)),
        ("principal", to("user", crate::examples::NOBODY)),
        ("environmentId", json!(crate::examples::NOBODY)),
    ] {
        let mut bad = body.clone();
        bad[field] = wrong;
        world.post(path, &bad).await.expect(400, "VALIDATION_FAILED");
    }
}

async fn the_last_administrator_stays(world: &World) {
    let admin = world.get("/api/v1/users?filter={\"name\":\"admin\"}").await.data()[0].clone();
    let id = admin["id"].as_str().unwrap();
    let bindings = world.get(&format!("/api/v1/role-bindings?filter={{\"principal.id\":\"{id}\"}}")).await;
    let binding = format!("/api/v1/role-bindings/{}", bindings.data()[0]["id"].as_str().unwrap());
    world.call("DELETE", &binding, Some(&world.admin), None).await.expect(400, "VALIDATION_FAILED");
    let said = format!("{binding}?reason=left");
    world.call("DELETE", &said, Some(&world.admin), None).await.expect(422, "RULE_VIOLATED");
    let path = format!("/api/v1/users/{id}");
    world.call("DELETE", &path, Some(&world.admin), None).await.expect(422, "RULE_VIOLATED");
    let mut off = admin.clone();
    off["active"] = json!(false);
    world.call("PUT", &path, Some(&world.admin), Some(&off)).await.expect(422, "RULE_VIOLATED");

    let next = world.post("/api/v1/users", &json!({ "name": NAME })).await.id();
    let role = bindings.data()[0]["roleId"].clone();
    let mut all = crate::world::all();
    // What only agents have nobody gives, and the role admin does not have it.
    all = Grants::new(all.iter().copied().filter(|grant| grant.permission != Permission::AgentSession));
    let token = world.token(world.home, world.context.id(), all);
    let body = json!({ "roleId": role, "principal": to("user", &next), "reason": "takes over" });
    assert_eq!(post_as(world, &token, "/api/v1/role-bindings", body).await.status, StatusCode::CREATED);
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    world.call("GET", &binding, Some(&world.admin), None).await.expect(404, "NOT_FOUND");
}

/// Both count the administrators, and each alone would find one left.
async fn two_administrators_cannot_remove_each_other(world: &World) {
    let admin = world.get("/api/v1/users?filter={\"name\":\"admin\"}").await.data()[0].clone();
    let mut here = admin["id"].as_str().unwrap().to_owned();
    let bindings = world.get(&format!("/api/v1/role-bindings?filter={{\"principal.id\":\"{here}\"}}")).await;
    let role = bindings.data()[0]["roleId"].clone();
    let grants = crate::world::all();
    let grants = Grants::new(grants.iter().copied().filter(|one| one.permission != Permission::AgentSession));
    let token = |id: &str| world.token(world.home, id.parse().unwrap(), grants.clone());
    for round in 0..5 {
        let name = format!("rival-{round}");
        let other = post_as(world, &token(&here), "/api/v1/users", json!({ "name": name })).await.id();
        let body = json!({ "roleId": role, "principal": to("user", &other), "reason": "shares the work" });
        assert_eq!(post_as(world, &token(&here), "/api/v1/role-bindings", body).await.status, StatusCode::CREATED);
        let (mine, theirs) = (token(&here), token(&other));
        let (of_other, of_here) = (format!("/api/v1/users/{other}"), format!("/api/v1/users/{here}"));
        let (one, two) = tokio::join!(
            world.call("DELETE", &of_other, Some(&mine), None),
            world.call("DELETE", &of_here, Some(&theirs), None)
        );
        let gone = [one.status, two.status].map(|status| status == StatusCode::NO_CONTENT);
        assert!(gone == [true, false] || gone == [false, true], "round {round}: {} {}", one.status, two.status);
        if gone[1] {
            here = other;
        }
    }
}

async fn tenants_are_made_at_home_and_know_nothing_of_each_other(world: &World) {
    let body = json!({ "name": "acme", "tier": "premium", "administrator": { "name": "root-of-acme" } });
    let made = world.post("/api/v1/tenants", &body).await;
    let password = made.data()["administrator"]["initialPassword"].as_str().unwrap().to_owned();
    assert_eq!((made.status, password.len()), (StatusCode::CREATED, 23));
    assert!(world.audit().await.iter().all(|event| !event.to_string().contains(&password)));
    world.post("/api/v1/tenants", &json!({ "name": "acme" })).await.expect(409, "ALREADY_EXISTS");
    let acme: TenantId = made.id().parse().unwrap();
    let admin = made.data()["administrator"]["id"].as_str().unwrap().parse().unwrap();
    let token = world.token(acme, admin, crate::world::all());

    let users = world.call("GET", "/api/v1/users", Some(&token), None).await;
    assert_eq!(users.data().as_array().map(Vec::len), Some(1));
    let roles = world.call("GET", "/api/v1/roles?pageSize=1", Some(&token), None).await;
    assert_eq!(roles.body["meta"]["pagination"]["totalItems"], 8);
    let trail = world.call("GET", "/api/v1/audit-events", Some(&token), None).await;
    assert_eq!(trail.data()[0]["action"], "tenant_create");
    // Even a token that says so makes no tenants outside of tenant default.
    world.call("GET", "/api/v1/tenants", Some(&token), None).await.expect(403, "PERMISSION_DENIED");
    post_as(world, &token, "/api/v1/tenants", json!({ "name": "x" })).await.expect(403, "PERMISSION_DENIED");
    assert_eq!(world.get("/api/v1/tenants").await.data().as_array().map(Vec::len), Some(2));
    let ours = world.post("/api/v1/users", &json!({ "name": NAME })).await.id();
    world.call("GET", &format!("/api/v1/users/{ours}"), Some(&token), None).await.expect(404, "NOT_FOUND");
    assert!(acme.uuid().get_version_num() == 7);
}

async fn users_come_and_go(world: &World) {
    let made = world.post("/api/v1/users", &json!({ "name": NAME, "email": "ada@example.org" })).await;
    assert_eq!(made.data()["mustChangePassword"], true);
    assert!(made.data()["initialPassword"].is_string());
    let path = format!("/api/v1/users/{}", made.id());
    let seen = world.get(&path).await;
    assert!(seen.data().get("initialPassword").is_none());
    let mut body = seen.data().clone();
    body["displayName"] = json!("Ada");
    let changed = world.call("PUT", &path, Some(&world.admin), Some(&body)).await;
    assert_eq!((&changed.data()["displayName"], changed.header("etag")), (&json!("Ada"), "\"2\""));
    body["mustChangePassword"] = json!(false);
    world.call("PUT", &path, Some(&world.admin), Some(&body)).await.expect(400, "VALIDATION_FAILED");
    for bad in [
        json!({ "name": "Ada" }),
        json!({ "name": "b", "password": "short" }),
        json!({ "name": "b", "password": "password1234" }),
        json!({ "name": "lovelace", "password": "lovelace-2026" }),
    ] {
        world.post("/api/v1/users", &bad).await.expect(400, "VALIDATION_FAILED");
    }
    world.post("/api/v1/users", &json!({ "name": NAME })).await.expect(409, "ALREADY_EXISTS");
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.post("/api/v1/users", &json!({ "name": NAME })).await.status, StatusCode::CREATED);
    let gone = world.get("/api/v1/users?deleted=true").await;
    assert_eq!(gone.data()[0]["id"], made.id());
}

async fn what_is_referred_to_stays(world: &World) {
    let owner = world.post("/api/v1/users", &json!({ "name": NAME })).await.id();
    let client = world.post("/api/v1/clients", &json!({ "name": "ci", "ownerId": owner })).await;
    let (path, service) = (format!("/api/v1/users/{owner}"), client.data()["serviceUserId"].as_str().unwrap());
    let held = world.call("DELETE", &path, Some(&world.admin), None).await.expect(409, "IN_USE");
    assert_eq!(held.body["error"]["details"]["references"][0]["id"], client.id());
    let service = format!("/api/v1/users/{service}");
    assert_eq!(world.get(&service).await.data()["name"], "client:ci");
    world.call("DELETE", &service, Some(&world.admin), None).await.expect(422, "RULE_VIOLATED");
    let renamed = json!({ "name": "builder", "ownerId": owner });
    let put = world.call("PUT", &format!("/api/v1/clients/{}", client.id()), Some(&world.admin), Some(&renamed)).await;
    assert_eq!(put.status, StatusCode::OK);
    assert_eq!(world.get(&service).await.data()["name"], "client:builder");

    let watcher = role(world, "watcher", &["release:read"]).await;
    let body = json!({ "roleId": watcher, "principal": to("client", &client.id()) });
    let binding = world.post("/api/v1/role-bindings", &body).await.id();
    let path_of_role = format!("/api/v1/roles/{watcher}");
    world.call("DELETE", &path_of_role, Some(&world.admin), None).await.expect(409, "IN_USE");
    let renamed = json!({ "name": "reader", "permissions": ["release:read"] });
    assert_eq!(world.call("PUT", &path_of_role, Some(&world.admin), Some(&renamed)).await.status, StatusCode::OK);
    assert_eq!(world.get(&format!("/api/v1/role-bindings/{binding}")).await.data()["role"], "reader");

    let gone = world.call("DELETE", &format!("/api/v1/clients/{}", client.id()), Some(&world.admin), None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    world.call("GET", &service, Some(&world.admin), None).await.expect(404, "NOT_FOUND");
    assert_eq!(world.call("DELETE", &path_of_role, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call("DELETE", &path, Some(&world.admin), None).await.status, StatusCode::NO_CONTENT);
}
