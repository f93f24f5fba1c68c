//! Every wrong field is named by its path, with words for people.

use serde_json::{Value, json};

use crate::{examples::NOBODY, on_both, world::World};

on_both! {
    settings_of_a_type_are_checked_field_by_field;
    of_several_forms_the_word_that_tells_them_apart_is_named;
}

/// What the server says of `body`: each field with its message.
async fn told(world: &World, path: &str, body: &Value) -> Vec<(String, String)> {
    let answer = world.post(path, body).await.expect(400, "VALIDATION_FAILED");
    let entries = answer.body["error"]["validationErrors"].as_array().unwrap();
    let text = |one: &Value| one.as_str().unwrap().to_owned();
    let mut all: Vec<_> = entries.iter().map(|one| (text(&one["field"]), text(&one["message"]))).collect();
    all.sort();
    all
}

async fn settings_of_a_type_are_checked_field_by_field(world: &World) {
    let target = json!({
        "environmentId": NOBODY, "name": "web-1", "type": "docker_host", "connection": { "socket": 1, "x": 2 }
    });
    let said = told(world, "/api/v1/targets", &target).await;
    assert_eq!(said[0], ("connection.socket".to_owned(), "must be a string".to_owned()));
    assert_eq!((said.len(), said[1].0.as_str()), (2, "connection.x"));
    let hub = json!({ "name": "hub", "typeId": "oci_registry", "config": { "url": "ftp://x", "colour": 1 } });
    let said = told(world, "/api/v1/integrations", &hub).await;
    let fields: Vec<&str> = said.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["config.colour", "config.url"]);
}

async fn of_several_forms_the_word_that_tells_them_apart_is_named(world: &World) {
    let environment = |gates: Value| json!({ "name": "dev", "gates": gates });
    let said = told(world, "/api/v1/environments", &environment(json!([{ "type": "nope" }]))).await;
    let known = "must be one of freeze_window, promotion_path, soak_time, release_status, approval";
    assert_eq!(said, [("gates[0].type".to_owned(), known.to_owned())]);
    let said = told(world, "/api/v1/environments", &environment(json!([{ "type": "approval", "x": 1 }, {}]))).await;
    let fields: Vec<&str> = said.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["gates[0].x", "gates[1].type"]);
    let strategy = json!({ "name": "dev", "strategy": { "type": "blue" } });
    let said = told(world, "/api/v1/environments", &strategy).await;
    assert_eq!(said[0].0, "strategy.type");
}
