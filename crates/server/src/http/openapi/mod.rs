//! The OpenAPI 3.1 document, made from the operation table and the routes.

mod responses;
mod sample;

use std::{collections::BTreeSet, sync::Arc};

use plimsoll_core::{Error, ErrorCode, Result};
use plimsoll_protocol::operation::{Effect, Idempotency, Method, example};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::{
    route::{AnswerShape, Route},
    schema::{Schemas, close_forms, collect},
};
use responses::Responses;
use sample::Sampler;

/// The id in examples.
const ID: &str = example::ID;

/// Names of the top-level fields of a type.
pub(crate) fn property_names<T: ToSchema + PartialSchema>() -> Vec<String> {
    let mut schemas = Schemas::new();
    let name = collect::<T>(&mut schemas);
    names_of(&schemas, &name)
}

fn names_of(schemas: &Schemas, name: &str) -> Vec<String> {
    let Some(schema) = schemas.get(name) else { return Vec::new() };
    serde_json::to_value(schema).map_or_else(|_| Vec::new(), |schema| names_in(schemas, &schema))
}

/// A flattened struct is an `allOf` of a reference and its own fields.
fn names_in(schemas: &Schemas, schema: &Value) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return names_of(schemas, reference.rsplit('/').next().unwrap_or_default());
    }
    let own = schema["properties"].as_object().into_iter().flat_map(Map::keys).cloned();
    let parts = schema["allOf"].as_array().into_iter().flatten().flat_map(|part| names_in(schemas, part));
    own.chain(parts).collect()
}

/// The whole document. It is made when it is first asked for: nothing else needs it.
pub(crate) fn document(routes: &[Arc<Route>]) -> Result<Value> {
    let schemas = schemas(routes)?;
    let sampler = Sampler { components: &schemas };
    let mut responses = Responses::default();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes {
        let item = paths.entry(route.operation.full_path()).or_insert_with(|| json!({}));
        let method = match route.operation.method {
            Method::Get | Method::WebSocket => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        };
        item[method] = operation(route, &mut responses, &sampler);
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Plimsoll",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Release control plane for containers outside Kubernetes.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" }
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "responses": responses.shared,
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } }
        },
        "x-error-codes": ErrorCode::ALL.iter().map(|code| json!({
            "code": code.as_str(), "kind": code.kind(), "meaning": code.meaning().trim()
        })).collect::<Vec<_>>()
    }))
}

/// `#/components/schemas`, those of bodies as they are checked.
fn schemas(routes: &[Arc<Route>]) -> Result<Map<String, Value>> {
    let mut all = Schemas::new();
    for collect in routes.iter().flat_map(|route| &route.collect) {
        collect(&mut all);
    }
    collect::<plimsoll_protocol::envelope::Failure>(&mut all);
    collect::<plimsoll_protocol::envelope::Meta>(&mut all);
    let Value::Object(mut all) = serde_json::to_value(all)
        .map_err(|cause| Error::internal_defect(format!("the schemas are not JSON: {cause}")))?
    else {
        return Err(Error::internal_defect("the schemas are no object"));
    };
    for name in sent(routes, &all) {
        if let Some(schema) = all.get_mut(&name) {
            close_forms(schema);
        }
    }
    Ok(all)
}

/// The names of all schemas that bodies are made of.
fn sent(routes: &[Arc<Route>], schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = routes.iter().filter_map(|route| Some(route.body.as_ref()?.0.clone())).collect();
    while let Some(name) = open.pop() {
        if let Some(schema) = schemas.get(&name)
            && names.insert(name)
        {
            referred(schema, &mut open);
        }
    }
    names
}

fn referred(schema: &Value, into: &mut Vec<String>) {
    match schema {
        Value::Object(map) => {
            into.extend(
                map.get("$ref").and_then(Value::as_str).and_then(|text| text.rsplit('/').next()).map(str::to_owned),
            );
            map.values().for_each(|one| referred(one, into));
        }
        Value::Array(all) => all.iter().for_each(|one| referred(one, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn operation(route: &Route, responses: &mut Responses, sampler: &Sampler<'_>) -> Value {
    let row = route.operation;
    let codes: Vec<&str> = row.errors().iter().map(|code| code.as_str()).collect();
    let mut out = json!({
        "operationId": row.id.as_str(),
        "tags": [row.tag()],
        "summary": row.id.as_str().replace('_', " "),
        "description": format!("Needs the permission `{}`.", row.permission.as_str()),
        "x-permission": row.permission.as_str(),
        "x-error-codes": codes,
        "parameters": parameters(route),
        "responses": responses.of(route, sampler),
    });
    if let Some((name, _)) = &route.body {
        let mut content = json!({ "schema": reference(name) });
        if let Some(body) = example::body(row.id) {
            content["example"] = body;
        }
        out["requestBody"] = json!({ "required": route.body_required, "content": { "application/json": content } });
    }
    out
}

fn parameters(route: &Route) -> Vec<Value> {
    let row = route.operation;
    let mut all: Vec<Value> = row
        .parameters()
        .map(|name| {
            let (schema, example) = match name {
                "typeId" => (json!({ "type": "string" }), "oci_registry"),
                _ => (json!({ "type": "string", "format": "uuid" }), ID),
            };
            json!({ "name": name, "in": "path", "required": true, "schema": schema, "example": example })
        })
        .collect();
    if matches!(route.answer, AnswerShape::Page(_)) {
        all.extend([
            json!({ "name": "page", "in": "query", "schema": { "type": "integer", "minimum": 1, "default": 1 } }),
            json!({ "name": "pageSize", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 } }),
            json!({ "name": "sort", "in": "query", "schema": { "type": "string" }, "example": "-createdAt" }),
            json!({ "name": "filter", "in": "query", "schema": { "type": "string" },
                "description": format!("A JSON object in MongoDB's manner.{}", route.filter_note), "example": "{\"createdAt\":{\"$gte\":\"2026-01-01T00:00:00Z\"}}" }),
            json!({ "name": "deleted", "in": "query", "schema": { "type": "boolean", "default": false } }),
        ]);
    }
    all.extend(route.query.iter().map(
        |one| json!({ "name": one.name, "in": "query", "schema": { "type": one.kind }, "description": one.meaning }),
    ));
    if row.idempotency != Idempotency::None {
        all.push(json!({ "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 255 },
            "description": "A repeat with the same key gets the first answer." }));
    }
    if row.effect == Effect::Mutation && row.parameters().next().is_some() {
        all.push(json!({ "name": "If-Match", "in": "header", "schema": { "type": "string" }, "example": "\"3\"",
            "description": "The revision that was seen, as the ETag has it." }));
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Two types of one name would overwrite each other in the document.
    #[test]
    fn no_two_schemas_have_one_name() {
        let mut seen: BTreeMap<String, Value> = BTreeMap::new();
        for collect in crate::http::routes::all().unwrap().iter().flat_map(|route| route.collect.clone()) {
            let mut schemas = Schemas::new();
            collect(&mut schemas);
            for (name, schema) in schemas {
                let schema = serde_json::to_value(schema).unwrap();
                if let Some(other) = seen.insert(name.clone(), schema.clone()) {
                    assert_eq!(other, schema, "{name}");
                }
            }
        }
    }
}
