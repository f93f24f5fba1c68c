//! Requests that are wrong in themselves, and names of what is not there.

use plimsoll_protocol::operation::{self, Method, OperationId as Op};
use serde_json::{Value, json};

use super::{Before, Case, case};
use crate::{
    estate::Estate,
    examples::{self, NOBODY},
    on_both,
    world::World,
};

on_both! {
    bodies_that_are_no_good;
    wrong_types_and_unknown_fields_are_all_named;
    mistakes_of_several_kinds_are_named_together;
    lists_refuse_what_they_do_not_know;
    ids_that_name_nothing_or_what_is_anothers;
}

const COMPONENTS: &str = "/api/v1/components";

async fn bodies_that_are_no_good(world: &World) {
    let before = Before::of(world).await;
    let good = examples::body(Op::ComponentCreate).unwrap().to_string();
    let json = "application/json";
    for (what, body, media, status, code, says) in [
        ("half an object", "{".to_owned(), json, 400, "MALFORMED_JSON", "JSON"),
        ("nothing at all", String::new(), json, 400, "MALFORMED_JSON", "JSON"),
        ("a key twice", "{\"name\":\"a\",\"name\":\"b\"}".into(), json, 400, "MALFORMED_JSON", "name"),
        ("too deep", format!("{}1{}", "[".repeat(100), "]".repeat(100)), json, 400, "MALFORMED_JSON", "deep"),
        ("text after it", format!("{good} x"), json, 400, "MALFORMED_JSON", "JSON"),
        ("not UTF-8's words", "{\"name\":\"\\ud800\"}".into(), json, 400, "MALFORMED_JSON", "JSON"),
        ("a list for an object", "[]".into(), json, 400, "VALIDATION_FAILED", "object"),
        ("another type of text", good.clone(), "text/plain", 415, "UNSUPPORTED_MEDIA_TYPE", "application/json"),
        ("a form", "name=api".into(), "application/x-www-form-urlencoded", 415, "UNSUPPORTED_MEDIA_TYPE", "json"),
        ("too large", format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20)), json, 413, "BODY_TOO_LARGE", "1"),
    ] {
        let request = world.request("POST", COMPONENTS, Some(&world.admin)).header("Content-Type", media).body(body);
        before.refused(what, World::read(request).await, status, code, says).await;
    }
    let empty = json!({ "name": "", "registryIntegrationId": NOBODY, "repository": "shop/api" });
    before
        .refuses([
            case("nothing that is needed", "POST", COMPONENTS).body(json!({})).is(
                400,
                "VALIDATION_FAILED",
                "repository",
            ),
            case("a name of nothing", "POST", COMPONENTS).body(empty).is(400, "VALIDATION_FAILED", "name"),
        ])
        .await;
    let keyed = world.request("POST", COMPONENTS, Some(&world.admin)).header("Idempotency-Key", "k".repeat(300));
    let keyed = World::read(keyed.json(&examples::body(Op::ComponentCreate).unwrap())).await;
    before.refused("a key for repeats that is too long", keyed, 400, "VALIDATION_FAILED", "Idempotency-Key").await;
}

/// Of every operation that takes a body: each field with a value of another type, and one that nobody knows.
async fn mistakes_of_several_kinds_are_named_together(world: &World) {
    let before = Before::of(world).await;
    let mut bad = examples::body(Op::ComponentCreate).unwrap();
    bad["surprise"] = json!(true);
    bad["labels"] = json!(7);
    bad["name"] = json!("Bad Name!");
    let answer = world.call("POST", COMPONENTS, Some(&world.admin), Some(&bad)).await;
    let answer = before.refused("three kinds", answer, 400, "VALIDATION_FAILED", "surprise").await;
    let wrong = answer.body["error"]["validationErrors"].as_array().unwrap();
    let mut named: Vec<&str> = wrong.iter().filter_map(|one| one["field"].as_str()).collect();
    named.sort_unstable();
    assert_eq!(named, ["labels", "name", "surprise"], "{wrong:?}");
}

async fn wrong_types_and_unknown_fields_are_all_named(world: &World) {
    let before = Before::of(world).await;
    let called = operation::built().filter(|one| one.method != Method::WebSocket);
    for operation in called {
        let Some(good) = examples::body(operation.id) else { continue };
        let mut path = operation.full_path();
        for name in operation.parameters() {
            path = path.replace(&format!("{{{name}}}"), NOBODY);
        }
        let mut bad = json!({ "surprise": true });
        // What a connection may be, its type says: that is wrong here, too.
        for (name, value) in good.as_object().unwrap().iter().filter(|(name, _)| *name != "connection") {
            bad[name] = if value.is_string() { json!(7) } else { json!("seven") };
        }
        let what = format!("{:?}", operation.id);
        let token = world.token(world.home, world.context.id(), crate::world::all());
        let answer = world.call(operation.method.as_str(), &path, Some(&token), Some(&bad)).await;
        let answer = before.refused(&what, answer, 400, "VALIDATION_FAILED", "surprise").await;
        let named: Vec<&str> = answer.body["error"]["validationErrors"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|one| one["field"].as_str())
            .collect();
        for name in bad.as_object().unwrap().keys() {
            assert!(named.contains(&name.as_str()), "{what}: {name} is not in {named:?}");
        }
    }
}

/// Every list of the table, also those within something and those without pages, with what it does not take.
async fn lists_refuse_what_they_do_not_know(world: &World) {
    let estate = Estate::of(world, world.home).await;
    let before = Before::settled(world).await;
    let document = world.call("GET", "/openapi.json", None, None).await.body;
    let lists: Vec<_> = operation::built()
        .filter(|one| one.method == Method::Get && is_list(&document, &one.full_path()))
        .map(|one| (one.parameters().count(), estate.path(one)))
        .collect();
    let nested = lists.iter().filter(|(ids, _)| *ids > 0).count();
    assert!(nested >= 8 && lists.len() - nested > 15, "{lists:?}");
    for (_, path) in lists {
        before
            .refuses([
                case(format!("{path}: a huge page"), "GET", format!("{path}?pageSize=100000")),
                case(format!("{path}: a filter by nothing known"), "GET", format!("{path}?filter={{\"colour\":1}}")),
                case(format!("{path}: a parameter of nobody"), "GET", format!("{path}?colour=red")),
            ])
            .await;
    }
    let deep = format!("{}{{\"name\":\"a\"}}{}", "{\"$not\":".repeat(20), "}".repeat(20));
    let many = json!({ "$or": vec![json!({ "name": "a" }); 100] }).to_string();
    let long = json!({ "name": "a".repeat(9_000) }).to_string();
    for (what, query, says) in [
        ("a page beyond all", "page=1000000000".to_owned(), "page"),
        ("a page beyond all numbers", format!("page={}", "9".repeat(40)), "page"),
        ("a page before the first", "page=0".into(), "page"),
        ("a page that is no number", "page=x".into(), "page"),
        ("a page of nothing", "pageSize=0".into(), "pageSize"),
        ("a page of less than nothing", "pageSize=-1".into(), "pageSize"),
        ("a page twice", "page=1&page=2".into(), "page"),
        ("an order by nothing known", "sort=colour".into(), "colour"),
        ("a filter that is no object", "filter=[]".into(), "filter"),
        ("half a filter", "filter={".into(), "filter"),
        ("a condition that nobody knows", "filter={\"name\":{\"$near\":1}}".into(), "$near"),
        ("a value of another type", "filter={\"name\":7}".into(), "name"),
        ("a time that is none", "filter={\"createdAt\":{\"$gte\":\"yesterday\"}}".into(), "createdAt"),
        ("a filter too deep", format!("filter={deep}"), "filter"),
        ("too many conditions", format!("filter={many}"), "filter"),
        ("a filter too long", format!("filter={long}"), "filter"),
        ("words that are no yes or no", "deleted=perhaps".into(), "deleted"),
    ] {
        before.refuses([case(what, "GET", format!("{COMPONENTS}?{query}")).is(400, "VALIDATION_FAILED", says)]).await;
    }
    let status = "/api/v1/releases?filter={\"status\":\"shipped\"}";
    before.refuses([case("a status that is none", "GET", status).is(400, "VALIDATION_FAILED", "status")]).await;
}

/// Whether the document says that the path answers a list.
fn is_list(document: &Value, path: &str) -> bool {
    let answer = &document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
    answer["properties"]["data"]["type"] == "array"
}

/// What a request names in its path or its body: nobody's and another tenant's look the same.
async fn ids_that_name_nothing_or_what_is_anothers(world: &World) {
    let theirs = Estate::of_another(world).await;
    let ours = world.post("/api/v1/environments", &json!({ "name": "dev" })).await.id();
    let before = Before::settled(world).await;
    for noun in ["integrations", "environments", "releases", "approval-policies"] {
        for id in [theirs.id(noun), NOBODY, "not-an-id"] {
            let path = format!("/api/v1/{noun}/{id}");
            let put = match noun {
                "integrations" => Op::IntegrationUpdate,
                "environments" => Op::EnvironmentUpdate,
                "releases" => Op::ReleaseUpdate,
                _ => Op::ApprovalPolicyUpdate,
            };
            let none = |method: &'static str, body: Option<Value>| Case {
                body,
                ..case(format!("{method} {path}"), method, &path).is(404, "NOT_FOUND", "")
            };
            before.refuses([none("GET", None), none("PUT", examples::body(put)), none("DELETE", None)]).await;
        }
    }
    for (what, one) in [("nobody's", None), ("another tenant's", Some(&theirs))] {
        let id = |noun: &str| one.map_or(NOBODY, |theirs| theirs.id(noun));
        let rows: [(&str, &str, Value, u16, &str, &str); 8] = [
            (
                "a component over an integration",
                COMPONENTS,
                json!({ "name": "api", "registryIntegrationId": id("integrations"), "repository": "shop/api" }),
                400,
                "VALIDATION_FAILED",
                "registryIntegrationId",
            ),
            (
                "a target in an environment",
                "/api/v1/targets",
                json!({ "environmentId": id("environments"), "name": "web-1", "type": "docker_host" }),
                400,
                "VALIDATION_FAILED",
                "environmentId",
            ),
            (
                "an environment after another",
                "/api/v1/environments",
                json!({ "name": "prod", "promotesFrom": { "environmentIds": [id("environments")] } }),
                400,
                "VALIDATION_FAILED",
                "promotesFrom",
            ),
            (
                "a promotion of a release",
                "/api/v1/promotions",
                json!({ "releaseId": id("releases"), "targetEnvironmentId": ours }),
                404,
                "NOT_FOUND",
                "there is no release",
            ),
            (
                "a rollback in an environment",
                "/api/v1/rollbacks",
                json!({ "environmentId": id("environments"), "reason": "it loses orders" }),
                404,
                "NOT_FOUND",
                "there is no environment",
            ),
            (
                "a policy of an environment",
                "/api/v1/approval-policies",
                json!({
                    "name": "strict", "environmentIds": [id("environments")], "reason": "it matters",
                    "rules": [{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]
                }),
                400,
                "VALIDATION_FAILED",
                "environmentIds",
            ),
            (
                "a release of a component",
                "/api/v1/releases",
                json!({ "name": "shop", "version": "1.0.0", "components": [{ "componentId": id("releases"), "tag": "1" }] }),
                400,
                "VALIDATION_FAILED",
                "components[0].componentId",
            ),
            (
                "a client of an owner",
                "/api/v1/clients",
                json!({ "name": "ci", "ownerId": id("releases") }),
                400,
                "VALIDATION_FAILED",
                "ownerId",
            ),
        ];
        for (row, path, body, status, code, says) in rows {
            before.refuses([case(format!("{row}, {what}"), "POST", path).body(body).is(status, code, says)]).await;
        }
    }
}
