//! `/docs`: the OpenAPI document as a page that people read. No script, nothing from elsewhere.

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use minijinja::{Environment, value::Serde};
use plimsoll_core::{Error, Result};
use serde::Serialize;
use serde_json::Value;

/// The page's own style is all that it may load.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'";

#[derive(Serialize)]
struct Page<'d> {
    version: &'d str,
    groups: Vec<Group<'d>>,
    schemas: Vec<Schema<'d>>,
}

#[derive(Serialize)]
struct Group<'d> {
    name: &'d str,
    operations: Vec<Operation<'d>>,
}

#[derive(Serialize)]
struct Operation<'d> {
    id: &'d str,
    method: String,
    path: &'d str,
    permission: &'d str,
    description: &'d str,
    parameters: Vec<Parameter<'d>>,
    /// The name of the body's schema.
    body: Option<&'d str>,
    example: Option<String>,
    answers: Vec<Answer<'d>>,
    errors: Vec<&'d str>,
}

#[derive(Serialize)]
struct Parameter<'d> {
    name: &'d str,
    place: &'d str,
    required: bool,
    description: &'d str,
}

#[derive(Serialize)]
struct Answer<'d> {
    status: &'d str,
    description: &'d str,
    example: Option<String>,
}

#[derive(Serialize)]
struct Schema<'d> {
    name: &'d str,
    text: String,
}

/// Lays the document out.
pub(super) fn page(document: &Value) -> Result<Bytes> {
    let mut environment = Environment::new();
    let failed = |cause: minijinja::Error| Error::internal_defect(format!("the reference page: {cause:#}"));
    environment.add_template("reference.html", include_str!("reference.html")).map_err(failed)?;
    let page =
        Page { version: text(&document["info"]["version"]), groups: groups(document), schemas: schemas(document) };
    let template = environment.get_template("reference.html").map_err(failed)?;
    Ok(Bytes::from(template.render(Serde(page)).map_err(failed)?))
}

pub(super) fn respond(page: Bytes) -> Response {
    let mut response = Response::new(Body::from(page));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn groups(document: &Value) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        for (method, operation) in item.as_object().into_iter().flatten() {
            let name = text(&operation["tags"][0]);
            let described = describe(path, method, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.operations.push(described),
                None => groups.push(Group { name, operations: vec![described] }),
            }
        }
    }
    groups
}

fn describe<'d>(path: &'d str, method: &str, operation: &'d Value) -> Operation<'d> {
    let body = &operation["requestBody"]["content"]["application/json"];
    let parameters = operation["parameters"].as_array().into_iter().flatten().map(|one| Parameter {
        name: text(&one["name"]),
        place: text(&one["in"]),
        required: one["required"].as_bool().unwrap_or_default(),
        description: text(&one["description"]),
    });
    let answers = operation["responses"].as_object().into_iter().flatten();
    let answers = answers.filter(|(status, _)| !status.starts_with(['4', '5'])).map(|(status, answer)| Answer {
        status,
        description: text(&answer["description"]),
        example: pretty(&answer["content"]["application/json"]["example"]),
    });
    Operation {
        id: text(&operation["operationId"]),
        method: method.to_uppercase(),
        path,
        permission: text(&operation["x-permission"]),
        description: text(&operation["description"]),
        parameters: parameters.collect(),
        body: body["schema"]["$ref"].as_str().and_then(|reference| reference.rsplit('/').next()),
        example: pretty(&body["example"]),
        answers: answers.collect(),
        errors: operation["x-error-codes"].as_array().into_iter().flatten().map(text).collect(),
    }
}

fn schemas(document: &Value) -> Vec<Schema<'_>> {
    let known = document["components"]["schemas"].as_object().into_iter().flatten();
    known.filter_map(|(name, schema)| Some(Schema { name, text: pretty(schema)? })).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// JSON as people read it; nothing where there is none.
fn pretty(value: &Value) -> Option<String> {
    if value.is_null() { None } else { serde_json::to_string_pretty(value).ok() }
}
