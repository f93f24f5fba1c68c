//! What an operation answers: its success, and each status of its errors with their codes.

use std::collections::BTreeMap;

use plimsoll_core::{ErrorCode, error::ErrorKind};
use plimsoll_protocol::operation::{Method, OperationId as Op};
use serde_json::{Map, Value, json};

use super::{ID, reference, sample::Sampler};
use crate::http::{
    route::{AnswerShape, Route},
    status,
};

/// More codes than these stand with their operation alone.
const SHARED: usize = 3;

/// The answers of all operations; those that many have alike are kept once.
#[derive(Default)]
pub(super) struct Responses {
    /// `#/components/responses`.
    pub(super) shared: Map<String, Value>,
}

impl Responses {
    /// The `responses` of an operation.
    pub(super) fn of(&mut self, route: &Route, sampler: &Sampler<'_>) -> Value {
        let mut all = successes(route, sampler);
        let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
        for code in route.operation.errors() {
            by_status.entry(status::of(code.kind()).as_u16()).or_default().push(code);
        }
        for (status, codes) in by_status {
            all.insert(status.to_string(), self.failure(&codes));
        }
        Value::Object(all)
    }

    fn failure(&mut self, codes: &[ErrorCode]) -> Value {
        if codes.len() > SHARED {
            return failure(codes);
        }
        let name = codes.iter().map(|code| format!("{code:?}")).collect::<Vec<_>>().join(".");
        let reference = json!({ "$ref": format!("#/components/responses/{name}") });
        self.shared.entry(name).or_insert_with(|| failure(codes));
        reference
    }
}

fn successes(route: &Route, sampler: &Sampler<'_>) -> Map<String, Value> {
    let one = |status: &str, answer: Value| Map::from_iter([(status.to_owned(), answer)]);
    let whole = |data: Value, pages: bool| enveloped(sampler, &data, pages);
    match &route.answer {
        AnswerShape::None => one("204", json!({ "description": "Done" })),
        AnswerShape::Raw(_) if route.operation.method == Method::WebSocket => {
            one("101", json!({ "description": "The stream begins" }))
        }
        AnswerShape::Raw(media) => {
            let content: Map<String, Value> = media.iter().map(|kind| ((*kind).to_owned(), json!({}))).collect();
            let mut all = one("200", json!({ "description": "All of it", "content": content }));
            all.extend(one("206", json!({ "description": "The range that was asked for", "content": content })));
            all.extend(one("304", json!({ "description": "Unchanged since the ETag in If-None-Match" })));
            all.extend(one("416", json!({ "description": "The range lies outside" })));
            all
        }
        AnswerShape::Page(name) => one("200", whole(json!({ "type": "array", "items": reference(name) }), true)),
        AnswerShape::List(name) => one("200", whole(json!({ "type": "array", "items": reference(name) }), false)),
        AnswerShape::One(name) => {
            let answer = whole(reference(name), false);
            let mut made = answer.clone();
            made["description"] = json!("Made");
            made["headers"] = json!({ "Location": { "schema": { "type": "string" }, "description": "Its path" } });
            match route.operation.id {
                // A dry run makes nothing; an agent that registers again is there already.
                Op::ReleaseFromLatest | Op::AgentRegister => {
                    let mut all = one("200", answer);
                    all.extend(one("201", made));
                    all
                }
                // A ticket is no resource.
                Op::StreamTicketCreate => one("200", answer),
                id if id.as_str().ends_with("_create") => one("201", made),
                _ => one("200", answer),
            }
        }
    }
}

fn enveloped(sampler: &Sampler<'_>, data: &Value, pages: bool) -> Value {
    let mut meta = meta();
    if pages {
        meta["pagination"] = json!({
            "page": 1, "pageSize": 20, "totalItems": 1, "totalPages": 1, "hasNext": false, "hasPrevious": false
        });
    }
    let schema = json!({
        "type": "object", "required": ["success", "data", "meta"],
        "properties": { "success": { "const": true }, "data": data, "meta": reference("Meta") }
    });
    let example = json!({ "success": true, "data": sampler.of(data, "name"), "meta": meta });
    json!({ "description": "Success", "content": { "application/json": { "schema": schema, "example": example } } })
}

fn meta() -> Value {
    json!({ "requestId": ID, "timestamp": "2026-01-31T22:00:00.000000Z" })
}

fn failure(codes: &[ErrorCode]) -> Value {
    let said: Vec<String> = codes.iter().map(|code| format!("- `{code}`: {}", code.meaning().trim())).collect();
    let words: Vec<&str> = codes.iter().map(|code| code.as_str()).collect();
    let first = codes.first().copied().unwrap_or(ErrorCode::Internal);
    let mut error = json!({ "code": first.as_str(), "message": first.meaning().trim() });
    if first == ErrorCode::ValidationFailed {
        let entry = json!({ "field": "components[0].digest", "code": "pattern", "message": "must be sha256 and 64 hex digits" });
        error["validationErrors"] = json!([entry]);
    }
    let mut answer = json!({
        "description": said.join("\n"),
        "content": { "application/json": {
            "schema": { "allOf": [
                reference("Failure"),
                { "properties": { "error": { "properties": { "code": { "enum": words } } } } }
            ] },
            "example": { "success": false, "error": error, "meta": meta() }
        } }
    });
    match first.kind() {
        ErrorKind::Throttled | ErrorKind::Unavailable => {
            let seconds = json!({ "schema": { "type": "integer" }, "description": "Seconds to wait" });
            answer["headers"] = json!({ "Retry-After": seconds });
        }
        ErrorKind::Unauthenticated => {
            answer["headers"] = json!({ "WWW-Authenticate": { "schema": { "type": "string" } } });
        }
        ErrorKind::Invalid
        | ErrorKind::Forbidden
        | ErrorKind::NotFound
        | ErrorKind::Conflict
        | ErrorKind::Unprocessable
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::UnsupportedMedia
        | ErrorKind::Internal => {}
    }
    answer
}
