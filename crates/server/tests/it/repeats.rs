//! Idempotency-Keys: on every POST; what is replayed; what is too large to be kept.

use plimsoll_protocol::operation::{self, Method};
use serde_json::{Value, json};

use crate::{
    examples::{self, NOBODY},
    on_both,
    world::{Answer, World, all},
};

on_both! {
    a_key_of_a_wrong_form_is_refused_on_every_post;
    a_replay_is_the_whole_answer;
    a_large_answer_is_replayed_as_the_resource;
}

async fn a_key_of_a_wrong_form_is_refused_on_every_post(world: &World) {
    for row in operation::built().filter(|row| row.method == Method::Post) {
        let caller = world.token(world.home, world.context.id(), all());
        let mut path = row.full_path();
        for name in row.parameters() {
            path = path.replace(&format!("{{{name}}}"), NOBODY);
        }
        let mut request = world.request("POST", &path, Some(&caller)).header("Idempotency-Key", "two words");
        if let Some(body) = examples::body(row.id) {
            request = request.json(&body);
        }
        let answer = World::read(request).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "VALIDATION_FAILED"), "{}", row.id.as_str());
        assert_eq!(answer.body["error"]["validationErrors"][0]["field"], "Idempotency-Key", "{}", row.id.as_str());
    }
}

async fn keyed(world: &World, path: &str, body: &Value, key: &str) -> Answer {
    let request = world.request("POST", path, Some(&world.admin)).header("Idempotency-Key", key).json(body);
    World::read(request).await
}

async fn a_replay_is_the_whole_answer(world: &World) {
    let body = examples::component(world, "api").await;
    let first = keyed(world, "/api/v1/components", &body, "k").await;
    let again = keyed(world, "/api/v1/components", &body, "k").await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    for header in ["etag", "location"] {
        assert!(!first.header(header).is_empty());
        assert_eq!(first.header(header), again.header(header), "{header}");
    }
    assert_eq!((first.status, first.data()), (again.status, again.data()));
}

async fn a_large_answer_is_replayed_as_the_resource(world: &World) {
    let mut body = examples::component(world, "large").await;
    let many: serde_json::Map<String, Value> =
        (0..200).map(|number| (format!("V{number}"), json!("x".repeat(600)))).collect();
    body["runtime"] = json!({ "environment": many });
    let first = keyed(world, "/api/v1/components", &body, "k").await;
    assert!(first.data().to_string().len() > 64 * 1024);
    let again = keyed(world, "/api/v1/components", &body, "k").await;
    assert_eq!((again.header("idempotency-replayed"), again.header("etag")), ("true", "\"1\""));
    assert_eq!(
        (again.status, again.header("location"), again.data()),
        (first.status, first.header("location"), first.data())
    );
    // It is read again: what it shows is what is there now, with the revision that goes with it.
    let path = format!("/api/v1/components/{}", first.id());
    let mut changed = first.data().clone();
    changed["labels"] = json!({ "team": "a" });
    world.call("PUT", &path, Some(&world.admin), Some(&changed)).await.expect(200, "");
    let later = keyed(world, "/api/v1/components", &body, "k").await;
    assert_eq!((later.header("etag"), &later.data()["labels"]["team"]), ("\"2\"", &json!("a")));
}
