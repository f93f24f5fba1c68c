//! The OpenAPI document: it is whole, its examples fit it, and so does every answer that any test here gets.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock, PoisonError},
};

use plimsoll_app::json_schema::JsonSchema;
use plimsoll_protocol::operation::{self, Method};
use serde_json::{Map, Value, json};

use crate::{
    on_both,
    world::{Answer, World},
};

on_both! {
    every_operation_is_described_whole;
}

static DOCUMENT: OnceLock<Value> = OnceLock::new();
static COMPILED: Mutex<Option<HashMap<String, &'static JsonSchema>>> = Mutex::new(None);

/// Keeps the document that a server of this build shows.
pub fn keep(document: Value) {
    let _ = DOCUMENT.set(document);
}

/// Fails when an answer is not as the document says.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let Some(document) = DOCUMENT.get() else { return };
    let Some(operation) = operation_at(document, method, path) else { return };
    let (id, status) = (operation["operationId"].as_str().unwrap(), answer.status.as_str());
    let Some(response) = operation["responses"].get(status).map(|one| resolve(document, one)) else {
        panic!("{id} answered {status}, which the document does not have: {}", answer.body);
    };
    let Some(content) = response["content"].get("application/json") else { return };
    let Some(schema) = content.get("schema") else { return };
    let wrong = compiled(document, &format!("{id} {status}"), schema).check(&answer.body, "");
    assert!(wrong.is_empty(), "{id} answered {status} outside its schema: {wrong:?}\n{}", answer.body);
}

fn operation_at<'a>(document: &'a Value, method: &str, path: &str) -> Option<&'a Value> {
    let given: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == given.len() && parts.iter().zip(&given).all(|(part, one)| part.starts_with('{') || part == one)
    };
    // A path of words wins over one with an id, as in the router.
    let mut found: Vec<(&String, &Value)> =
        document["paths"].as_object()?.iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first()?.1.get(method.to_lowercase())
}

fn resolve<'a>(document: &'a Value, response: &'a Value) -> &'a Value {
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

fn compiled(document: &Value, name: &str, schema: &Value) -> &'static JsonSchema {
    let mut all = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    all.get_or_insert_default().entry(schema.to_string()).or_insert_with(|| {
        let mut needed = Map::new();
        add_referred(document, schema, &mut needed);
        let root = json!({ "allOf": [schema], "components": { "schemas": needed } });
        Box::leak(Box::new(JsonSchema::compile(name, &root).unwrap()))
    })
}

fn add_referred(document: &Value, schema: &Value, into: &mut Map<String, Value>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = map.get("$ref").and_then(|one| one.as_str()?.rsplit('/').next())
                && !into.contains_key(name)
            {
                let found = &document["components"]["schemas"][name];
                into.insert(name.to_owned(), found.clone());
                add_referred(document, found, into);
            }
            map.values().for_each(|one| add_referred(document, one, into));
        }
        Value::Array(all) => all.iter().for_each(|one| add_referred(document, one, into)),
        _ => {}
    }
}

async fn every_operation_is_described_whole(_: &World) {
    let document = DOCUMENT.get().unwrap();
    let fits = |name: &str, content: &Value| {
        let example = content.get("example").unwrap_or_else(|| panic!("{name} has no example"));
        let wrong = compiled(document, name, &content["schema"]).check(example, "");
        assert!(wrong.is_empty(), "{name}: {wrong:?}\n{example}");
    };
    for row in operation::built() {
        let method = row.method.as_str().replace("WS", "GET");
        let described = operation_at(document, &method, &row.full_path()).unwrap();
        let name = row.id.as_str();
        assert_eq!(described["operationId"], name);
        assert_eq!(described["x-permission"], row.permission.as_str());
        let mut codes: Vec<&str> = Vec::new();
        for (status, response) in described["responses"].as_object().unwrap() {
            let response = resolve(document, response);
            let Some(content) = response["content"].get("application/json") else { continue };
            if content.get("schema").is_some() {
                fits(&format!("{name} {status}"), content);
            }
            let listed = content["schema"]["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"].as_array();
            codes.extend(listed.into_iter().flatten().filter_map(Value::as_str));
        }
        codes.sort_unstable();
        let mut own: Vec<&str> = row.errors().iter().map(|code| code.as_str()).collect();
        own.sort_unstable();
        assert_eq!(codes, own, "{name}");
        let body = &described["requestBody"]["content"]["application/json"];
        if !body.is_null() {
            fits(&format!("the body of {name}"), body);
        }
        let answers = described["responses"].as_object().unwrap();
        let success = answers.keys().any(|status| status.starts_with('2') || status == "101");
        assert!(success && (row.method == Method::WebSocket || !answers.contains_key("101")), "{name}");
    }
}
