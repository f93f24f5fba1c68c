//! Tests made from the operation table: every operation that is built, as nobody, as a stranger, without
//! its own permission, with an unknown field.

use plimsoll_protocol::operation::{self, Effect, Method, Operation, OperationId};
use serde_json::{Value, json};

use crate::{
    examples::{self, NOBODY},
    on_both, peer,
    world::{Answer, World, all_but},
};

on_both! {
    nobody_gets_401;
    a_missing_permission_is_403_and_audited;
    a_refusal_names_the_resource_as_a_success_does;
    unknown_fields_are_named_and_change_nothing;
    every_answer_has_rate_headers_and_a_request_id;
}

pub fn called() -> impl Iterator<Item = &'static Operation> {
    operation::built()
}

/// A call of `operation` at `path` by `client`, as nobody. A stream is asked for as a WebSocket: what it refuses, it
/// refuses before the upgrade.
pub fn asked(client: &reqwest::Client, world: &World, operation: &Operation, path: &str) -> reqwest::RequestBuilder {
    let url = format!("{}{path}", world.server.url);
    match operation.method {
        Method::WebSocket => peer::upgrade(client.get(url)),
        Method::Get => client.get(url),
        Method::Post => client.post(url),
        Method::Put => client.put(url),
        Method::Delete => client.delete(url),
    }
}

fn path_with(operation: &Operation, id: &str) -> String {
    let mut path = operation.full_path();
    for name in operation.parameters() {
        path = path.replace(&format!("{{{name}}}"), id);
    }
    path
}

fn with_example(request: reqwest::RequestBuilder, operation: &Operation) -> reqwest::RequestBuilder {
    match examples::body(operation.id) {
        Some(body) => request.json(&body),
        None => request,
    }
}

async fn call(world: &World, operation: &Operation, id: &str, token: Option<&str>) -> Answer {
    let mut request = with_example(asked(&world.client, world, operation, &path_with(operation, id)), operation);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    World::read(request).await
}

#[test]
fn the_table_is_the_contract_and_ours() {
    let read = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| line.split(" | ").next().unwrap().trim().to_owned()).collect()
    };
    let listed = |origin| -> Vec<String> {
        let rows = operation::OPERATIONS.iter().filter(|one| one.origin == origin);
        rows.map(|one| format!("{} {}", one.method.as_str(), one.full_path())).collect()
    };
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let contract = read(include_str!("../../../../contract/endpoints.txt"));
    assert_eq!(contract.len(), 119);
    assert_eq!(sorted(contract), sorted(listed(operation::Origin::Contract)));
    let additions = read(include_str!("../../../../contract/additions.txt"));
    assert_eq!(sorted(additions), sorted(listed(operation::Origin::Addition)));
}

/// Each operation that is not built yet stands in the list by its name: none can be taken back for another.
#[test]
fn what_is_not_built_only_shrinks() {
    let listed: Vec<&str> = include_str!("../../../../contract/not-yet.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .collect();
    let missing = operation::OPERATIONS.iter().filter(|one| one.availability == operation::Availability::NotYet);
    let missing: Vec<&str> = missing.map(|one| one.id.as_str()).collect();
    assert_eq!(missing, listed, "take from contract/not-yet.txt what is built now; nothing may be added to it");
}

async fn nobody_gets_401(world: &World) {
    // Nobody is limited by address: each of these asks less than one address may at once.
    let clients: Vec<reqwest::Client> = (2..10_u8)
        .map(|last| {
            let address = std::net::Ipv4Addr::new(127, 0, 0, last);
            reqwest::Client::builder().local_address(std::net::IpAddr::from(address)).build().unwrap()
        })
        .collect();
    let before = world.rows().await;
    for (operation, client) in called().zip(clients.iter().cycle()) {
        let answer =
            World::read(with_example(asked(client, world, operation, &path_with(operation, NOBODY)), operation))
                .await
                .expect(401, "UNAUTHENTICATED");
        assert!(answer.header("www-authenticate").starts_with("Bearer "), "{operation:?}");
    }
    assert_eq!(before, world.rows().await);
}

async fn a_missing_permission_is_403_and_audited(world: &World) {
    let before = world.rows().await;
    for operation in called() {
        // A fresh user each time: nobody's bucket runs dry.
        let token = world.token(world.home, world.context.id(), all_but(operation.permission));
        let answer = call(world, operation, NOBODY, Some(&token)).await.expect(403, "PERMISSION_DENIED");
        assert_eq!(answer.body["error"]["details"]["permission"], operation.permission.as_str());
        let refused =
            world.audit().await.into_iter().find(|event| event["requestId"] == answer.body["meta"]["requestId"]);
        match operation.effect {
            Effect::Mutation => {
                let event = refused.unwrap_or_else(|| panic!("{operation:?} left no audit event"));
                assert_eq!(
                    (event["outcome"].clone(), event["action"].clone()),
                    (json!("refused"), json!(operation.id.as_str()))
                );
                let named = operation.parameters().next().map_or(Value::Null, |_| json!(NOBODY));
                assert_eq!(event.get("resourceId").unwrap_or(&Value::Null), &named, "{operation:?}");
                let noun = event["resourceType"].as_str().unwrap();
                let about = match operation.id {
                    OperationId::FreezeWindowCreate => "environment",
                    OperationId::RollbackCreate => "deployment_job",
                    other => other.as_str(),
                };
                assert!(about.starts_with(noun), "{operation:?}: {noun}");
            }
            Effect::Read | Effect::Telemetry => assert!(refused.is_none(), "{operation:?}"),
        }
    }
    assert_eq!(before, world.rows().await);
}

async fn a_refusal_names_the_resource_as_a_success_does(world: &World) {
    let component = examples::component(world, "api").await;
    let made = world.post("/api/v1/components", &component).await.id();
    let integration = component["registryIntegrationId"].as_str().unwrap();
    let delete = async |path: String| world.call("DELETE", &path, Some(&world.admin), None).await;
    delete(format!("/api/v1/integrations/{integration}")).await.expect(409, "IN_USE");
    assert_eq!(delete(format!("/api/v1/components/{made}")).await.status, 204);
    assert_eq!(delete(format!("/api/v1/integrations/{integration}")).await.status, 204);
    let filter = json!({ "resourceType": "integration", "resourceId": integration });
    let mut url = url::Url::parse("http://x/api/v1/audit-events").unwrap();
    url.query_pairs_mut().append_pair("sort", "createdAt").append_pair("filter", &filter.to_string());
    let trail = world.get(&format!("{}?{}", url.path(), url.query().unwrap())).await;
    let told: Vec<(&str, &str)> = trail
        .data()
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["action"].as_str().unwrap(), event["outcome"].as_str().unwrap()))
        .collect();
    let deletions = [("integration_delete", "refused"), ("integration_delete", "succeeded")];
    assert_eq!(told, [&[("integration_create", "succeeded")], &deletions[..]].concat());
}

async fn unknown_fields_are_named_and_change_nothing(world: &World) {
    let before = world.rows().await;
    for operation in called() {
        let Some(mut body) = examples::body(operation.id) else { continue };
        body["surprise"] = Value::Bool(true);
        let path = path_with(operation, NOBODY);
        let answer = world.call(operation.method.as_str(), &path, Some(&world.admin), Some(&body)).await;
        let answer = answer.expect(400, "VALIDATION_FAILED");
        let named = answer.body["error"]["validationErrors"]
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one["field"] == "surprise" && one["code"] == "unknown_field"));
        assert!(named, "{operation:?}: {}", answer.body);
    }
    assert_eq!(world.rows().await, before);
}

async fn every_answer_has_rate_headers_and_a_request_id(world: &World) {
    for operation in called() {
        let token = world.token(world.home, world.context.id(), crate::world::all());
        for token in [Some(token.as_str()), None] {
            let answer = call(world, operation, NOBODY, token).await;
            for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
                assert!(answer.header(name).parse::<u64>().is_ok(), "{operation:?}: {name}");
            }
            assert_eq!(answer.header("x-request-id"), answer.body["meta"]["requestId"], "{operation:?}");
        }
    }
}
