//! What every endpoint does the same way, shown on components.

use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{examples::component, on_both, world::World};

on_both! {
    a_component_lives;
    a_repeat_with_the_same_key_changes_nothing;
    revisions_guard_changes;
    lists_page_and_filter;
    the_hundred_and_first_immediate_call_is_429;
    unknown_paths_and_methods_speak_the_envelope;
    the_document_lists_what_is_routed;
    the_reference_page_shows_every_operation_and_loads_nothing;
    every_field_in_the_openapi_document_is_camel_case;
}

async fn a_component_lives(world: &World) {
    let made = world.post("/api/v1/components", &component(world, "api").await).await;
    assert_eq!(made.status, 201);
    let path = format!("/api/v1/components/{}", made.id());
    assert_eq!(made.header("location"), path);
    assert_eq!(made.header("etag"), "\"1\"");
    let read = world.get(&path).await;
    assert_eq!(read.data(), made.data());
    // A GET's answer can be changed and PUT back.
    let mut changed = read.data().clone();
    changed["labels"] = json!({ "team": "a" });
    let put = world.call("PUT", &path, Some(&world.admin), Some(&changed)).await;
    assert_eq!((put.data()["revision"].clone(), put.data()["labels"].clone()), (json!(2), json!({ "team": "a" })));
    changed["createdAt"] = json!("2020-01-01T00:00:00.000000Z");
    let sly = world.call("PUT", &path, Some(&world.admin), Some(&changed)).await.expect(400, "VALIDATION_FAILED");
    assert_eq!(sly.body["error"]["validationErrors"][0]["code"], "read_only");
    let gone = world.call("DELETE", &path, Some(&world.admin), None).await;
    assert_eq!((gone.status.as_u16(), gone.body), (204, Value::Null));
    world.get(&path).await.expect(404, "NOT_FOUND");
    let actions: Vec<Value> = world.audit().await.into_iter().map(|event| event["action"].clone()).take(3).collect();
    assert_eq!(actions, ["component_delete", "component_update", "component_create"]);
}

async fn a_repeat_with_the_same_key_changes_nothing(world: &World) {
    let send = async |body: &Value| {
        let request = world.request("POST", "/api/v1/components", Some(&world.admin)).header("Idempotency-Key", "k-1");
        World::read(request.json(body)).await
    };
    let body = component(world, "api").await;
    let (first, again) = tokio::join!(send(&body), send(&body));
    assert_eq!(first.id(), again.id(), "a concurrent repeat waits and replays");
    let replayed = [&first, &again].iter().filter(|one| one.header("idempotency-replayed") == "true").count();
    assert_eq!(replayed, 1);
    let mut other = body.clone();
    other["name"] = json!("other");
    send(&other).await.expect(422, "IDEMPOTENCY_KEY_REUSED");
    world.post("/api/v1/components", &body).await.expect(409, "ALREADY_EXISTS");
    let total = world.get("/api/v1/components").await.body["meta"]["pagination"]["totalItems"].clone();
    assert_eq!(total, 1);
}

async fn revisions_guard_changes(world: &World) {
    let body = component(world, "api").await;
    let path = format!("/api/v1/components/{}", world.post("/api/v1/components", &body).await.id());
    let put = async |seen: &str, name: &str| {
        let mut body = body.clone();
        body["name"] = json!(name);
        World::read(world.request("PUT", &path, Some(&world.admin)).header("If-Match", seen).json(&body)).await
    };
    assert_eq!(put("\"1\"", "api-2").await.status, 200);
    let late = put("\"1\"", "api-3").await.expect(409, "VERSION_MISMATCH");
    assert_eq!(late.body["error"]["details"]["revision"], 2);
    put("rubbish", "api-4").await.expect(400, "VALIDATION_FAILED");
}

async fn lists_page_and_filter(world: &World) {
    for name in ["a", "b", "c"] {
        assert_eq!(world.post("/api/v1/components", &component(world, name).await).await.status, 201);
    }
    let page = world.get("/api/v1/components?page=2&pageSize=2&sort=-name").await;
    assert_eq!(page.data()[0]["name"], "a");
    assert_eq!(
        page.body["meta"]["pagination"],
        json!({"page": 2, "pageSize": 2, "totalItems": 3, "totalPages": 2, "hasNext": false, "hasPrevious": true})
    );
    let found = world.get("/api/v1/components?filter=%7B%22name%22%3A%22b%22%7D").await;
    assert_eq!(found.data().as_array().unwrap().len(), 1);
    for bad in [
        "pageSize=101",
        "page=0",
        "page=x",
        "sort=colour",
        "filter=%7B%22colour%22%3A1%7D",
        "filter=%5B",
        "fliter=x",
        "page=1&page=2",
    ] {
        world.get(&format!("/api/v1/components?{bad}")).await.expect(400, "VALIDATION_FAILED");
    }
}

async fn the_hundred_and_first_immediate_call_is_429(world: &World) {
    /// What a minute has room for, and what may come at once.
    const MINUTE: i64 = 60_000_000;
    const RATE: i64 = 1000;
    const BURST: i64 = 100;
    let token = world.anybody(world.home);
    let from = world.context.now();
    let answers: Vec<_> = stream::iter(0..4 * BURST)
        .map(|_| world.call("GET", "/api/v1/components", Some(&token), None))
        .buffer_unordered(16)
        .collect()
        .await;
    let refilled = world.context.now().micros_since(from) * RATE / MINUTE;
    let (refused, allowed): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 429);
    let passed = i64::try_from(allowed.len()).unwrap();
    assert!(allowed.iter().all(|answer| answer.status == 200));
    assert!(passed >= BURST, "only {passed} passed");
    assert!(passed <= BURST + refilled + 1, "{passed} passed, and {refilled} came to the burst meanwhile");
    assert!(!refused.is_empty(), "the bucket never ran dry");
    for answer in refused {
        let answer = answer.expect(429, "RATE_LIMITED");
        assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
        assert_eq!(answer.header("x-ratelimit-remaining"), "0");
    }
    assert_eq!(world.get("/api/v1/components").await.status, 200, "another principal is not affected");
}

async fn unknown_paths_and_methods_speak_the_envelope(world: &World) {
    world.get("/api/v1/nothing").await.expect(404, "UNKNOWN_PATH");
    world.call("PATCH", "/api/v1/components", Some(&world.admin), None).await.expect(405, "METHOD_NOT_ALLOWED");
    let own =
        World::read(world.request("GET", "/api/v1/components", Some(&world.admin)).header("X-Request-Id", "mine-1"))
            .await;
    assert_eq!(own.header("x-request-id"), "mine-1");
}

async fn the_reference_page_shows_every_operation_and_loads_nothing(world: &World) {
    let page = world.call("GET", "/docs", None, None).await;
    assert_eq!((page.status.as_u16(), page.header("content-type")), (200, "text/html; charset=utf-8"));
    assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
    let text = page.body["raw"].as_str().unwrap();
    for operation in plimsoll_protocol::operation::built() {
        let id = operation.id.as_str();
        assert!(text.contains(&format!("<details id=\"{id}\">")), "{id} is missing");
    }
    assert!(!text.contains("<script") && !text.contains("src=") && !text.contains("http-equiv"));
}

async fn the_document_lists_what_is_routed(world: &World) {
    let document = world.call("GET", "/openapi.json", None, None).await.body;
    let mut listed = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            listed.push((
                operation["operationId"].as_str().unwrap().to_owned(),
                format!("{} {path}", method.to_uppercase()),
            ));
        }
    }
    let mut built: Vec<(String, String)> = plimsoll_protocol::operation::built()
        .map(|one| {
            (one.id.as_str().to_owned(), format!("{} {}", one.method.as_str().replace("WS", "GET"), one.full_path()))
        })
        .collect();
    listed.sort();
    built.sort();
    assert_eq!(listed, built);
}

/// The wire is camelCase throughout; a schema that says otherwise would refuse what the server understands.
async fn every_field_in_the_openapi_document_is_camel_case(world: &World) {
    fn collect(schema: &Value, into: &mut Vec<String>) {
        match schema {
            Value::Object(map) => {
                let fields = map.get("properties").and_then(Value::as_object);
                into.extend(fields.into_iter().flatten().map(|(name, _)| name.clone()));
                map.values().for_each(|one| collect(one, into));
            }
            Value::Array(all) => all.iter().for_each(|one| collect(one, into)),
            _ => {}
        }
    }
    let document = world.call("GET", "/openapi.json", None, None).await.body;
    let mut fields = Vec::new();
    collect(&document["components"]["schemas"], &mut fields);
    assert!(fields.len() > 500, "{}", fields.len());
    let wrong: Vec<&String> = fields.iter().filter(|name| name.contains('_')).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
