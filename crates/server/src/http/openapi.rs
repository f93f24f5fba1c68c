//! The OpenAPI 3.1 document, made from the operation table and the routes.

use plimsoll_core::ErrorCode;
use plimsoll_protocol::operation::{Idempotency, Method, OperationId};
use serde_json::{Map, Value, json};
use utoipa::{PartialSchema, ToSchema};

use super::{
    route::{AnswerShape, Route},
    schema::{Schemas, collect},
};

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

/// The whole document.
pub(crate) fn document(routes: &[std::sync::Arc<Route>]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemas = Schemas::new();
    for route in routes {
        for collect in &route.collect {
            collect(&mut schemas);
        }
        let item = paths.entry(route.operation.full_path()).or_insert_with(|| json!({}));
        let method = match route.operation.method {
            Method::Get | Method::WebSocket => "get",
            Method::Post => "post",
            Method::Put => "put",
            Method::Delete => "delete",
        };
        item[method] = operation(route);
    }
    collect::<plimsoll_protocol::envelope::Failure>(&mut schemas);
    collect::<plimsoll_protocol::envelope::Meta>(&mut schemas);
    json!({
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
            "schemas": schemas,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } }
        },
        "x-error-codes": ErrorCode::ALL.iter().map(|code| json!({
            "code": code.as_str(), "kind": code.kind(), "meaning": code.meaning().trim()
        })).collect::<Vec<_>>()
    })
}

fn operation(route: &Route) -> Value {
    let row = route.operation;
    let mut parameters: Vec<Value> = row
        .parameters()
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    if matches!(route.answer, AnswerShape::Page(_)) {
        parameters.extend([
            json!({ "name": "page", "in": "query", "schema": { "type": "integer", "minimum": 1, "default": 1 } }),
            json!({ "name": "pageSize", "in": "query", "schema": { "type": "integer", "minimum": 1, "maximum": 100, "default": 20 } }),
            json!({ "name": "sort", "in": "query", "schema": { "type": "string" } }),
            json!({ "name": "filter", "in": "query", "schema": { "type": "string" } }),
            json!({ "name": "deleted", "in": "query", "schema": { "type": "boolean", "default": false } }),
        ]);
    }
    if row.idempotency != Idempotency::None {
        parameters.push(
            json!({ "name": "Idempotency-Key", "in": "header", "schema": { "type": "string", "maxLength": 255 } }),
        );
    }
    let mut out = json!({
        "operationId": row.id.as_str(),
        "tags": [row.tag()],
        "summary": row.id.as_str().replace('_', " "),
        "x-permission": row.permission.as_str(),
        "parameters": parameters,
        "responses": responses(route),
    });
    if let Some((name, _)) = &route.body {
        out["requestBody"] = json!({
            "required": route.body_required,
            "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{name}") } } }
        });
    }
    out
}

fn responses(route: &Route) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let enveloped = |data: Value| {
        json!({ "content": { "application/json": { "schema": {
            "type": "object", "required": ["success", "data", "meta"],
            "properties": { "success": { "const": true }, "data": data, "meta": reference("Meta") }
        } } }, "description": "Success" })
    };
    let created = route.operation.method == Method::Post
        && (route.operation.id.as_str().ends_with("_create") || route.operation.id.as_str().ends_with("_register"));
    let (status, success) = match &route.answer {
        AnswerShape::One(name) if created => ("201", enveloped(reference(name))),
        AnswerShape::One(name) => ("200", enveloped(reference(name))),
        AnswerShape::Page(name) | AnswerShape::List(name) => {
            ("200", enveloped(json!({ "type": "array", "items": reference(name) })))
        }
        AnswerShape::None => ("204", json!({ "description": "Done" })),
        AnswerShape::Raw(_) if route.operation.method == Method::WebSocket => {
            ("101", json!({ "description": "The stream begins" }))
        }
        AnswerShape::Raw(media) => ("200", json!({ "description": "Success", "content": { *media: {} } })),
    };
    let mut all = json!({ status: success });
    if route.operation.id == OperationId::ReleaseFromLatest {
        // A dry run makes nothing.
        all["201"] = all["200"].clone();
    }
    for (code, text) in [
        ("400", "The input is malformed or invalid"),
        ("401", "No token, or one that is not accepted"),
        ("403", "The permission is missing"),
        ("404", "Absent, or another tenant's"),
        ("409", "The state conflicts"),
        ("422", "A rule says no"),
        ("429", "Too many requests"),
        ("500", "A defect"),
        ("503", "Not now"),
    ] {
        all[code] =
            json!({ "description": text, "content": { "application/json": { "schema": reference("Failure") } } });
    }
    all
}
