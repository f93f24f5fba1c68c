//! Bad input gets a clear error and changes nothing.

use serde_json::json;

use crate::{examples, on_both, world::World};

on_both! {
    bodies_that_are_no_good;
}

async fn bodies_that_are_no_good(world: &World) {
    let before = world.rows().await;
    let good = examples::body(plimsoll_protocol::operation::OperationId::ComponentCreate).unwrap();
    let raw = async |body: String, media: &str| {
        let request = world.request("POST", "/api/v1/components", Some(&world.admin)).header("Content-Type", media);
        World::read(request.body(body)).await
    };
    raw("{".into(), "application/json").await.expect(400, "MALFORMED_JSON");
    raw("{\"name\":\"a\",\"name\":\"b\"}".into(), "application/json").await.expect(400, "MALFORMED_JSON");
    raw(format!("{}1{}", "[".repeat(100), "]".repeat(100)), "application/json").await.expect(400, "MALFORMED_JSON");
    raw(good.to_string(), "text/plain").await.expect(415, "UNSUPPORTED_MEDIA_TYPE");
    raw(format!("{{\"name\":\"{}\"}}", "x".repeat(1 << 20)), "application/json").await.expect(413, "BODY_TOO_LARGE");
    raw(String::new(), "application/json").await.expect(400, "MALFORMED_JSON");
    let types = json!({ "name": 1, "registryIntegrationId": "x", "repository": [], "instances": "two" });
    let answer = raw(types.to_string(), "application/json").await.expect(400, "VALIDATION_FAILED");
    let fields: Vec<&str> = answer.body["error"]["validationErrors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["field"].as_str().unwrap())
        .collect();
    for field in ["name", "registryIntegrationId", "repository", "instances"] {
        assert!(fields.contains(&field), "{field} in {fields:?}");
    }
    let answer = raw("{}".into(), "application/json").await.expect(400, "VALIDATION_FAILED");
    assert!(answer.body["error"]["validationErrors"].as_array().unwrap().len() >= 3, "{}", answer.body);
    for token in ["rubbish", "a.b.c", &format!("{}x", world.admin)] {
        world.call("POST", "/api/v1/components", Some(token), Some(&good)).await.expect(401, "UNAUTHENTICATED");
    }
    assert_eq!(world.rows().await, before);
}
