//! The part of the OCI Distribution specification 1.1 that readers use.

use axum::{
    Router,
    body::Body,
    extract::{Query, Request, State},
    http::{Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use plimsoll_oci::{Reference, Repository};
use serde::Deserialize;
use serde_json::json;

use super::{Fault, Registry, store::Content, store::Missing};

/// Entries of a page when nobody asks for less.
const LARGEST_PAGE: usize = 1000;

pub(super) fn router(registry: Registry) -> Router {
    Router::new()
        .route("/v2/", any(api))
        .route("/v2/_catalog", any(catalog))
        .route("/v2/{*rest}", any(content))
        .fallback(|| async { refusal(StatusCode::NOT_FOUND, "UNSUPPORTED", "the registry API begins at /v2/") })
        .layer(middleware::from_fn(readers_only))
        .layer(middleware::from_fn_with_state(registry.clone(), misbehave))
        .with_state(registry)
}

#[derive(Deserialize)]
struct Page {
    n: Option<usize>,
    last: Option<String>,
}

async fn misbehave(State(registry): State<Registry>, request: Request, next: Next) -> Response {
    match registry.fault() {
        Fault::None => next.run(request).await,
        Fault::RateLimited { retry_after_seconds } => {
            let refused = refusal(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", "too many requests");
            ([(header::RETRY_AFTER, retry_after_seconds.to_string())], refused).into_response()
        }
        Fault::Failing => refusal(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", "a fault was asked for"),
        Fault::Slow(wait) => {
            tokio::time::sleep(wait).await;
            next.run(request).await
        }
    }
}

async fn readers_only(request: Request, next: Next) -> Response {
    if request.method() == Method::GET || request.method() == Method::HEAD {
        return next.run(request).await;
    }
    refusal(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", "this registry is read-only")
}

async fn api() -> Response {
    ([("docker-distribution-api-version", "registry/2.0")], axum::Json(json!({}))).into_response()
}

async fn catalog(State(registry): State<Registry>, Query(page): Query<Page>) -> Response {
    let all = registry.lock().store.repositories();
    listed(&all, &page, "/v2/_catalog", |names| json!({ "repositories": names }))
}

/// `<repository>/tags/list`, `<repository>/manifests/<reference>`, `<repository>/blobs/<digest>`.
async fn content(State(registry): State<Registry>, Query(page): Query<Page>, request: Request) -> Response {
    let path = request.uri().path();
    let parts = path.strip_prefix("/v2/").and_then(|rest| rest.rsplit_once('/'));
    let Some((kind, last)) = parts.and_then(|(front, last)| Some((front.rsplit_once('/')?, last))) else {
        return unknown_path();
    };
    let Ok(repository) = kind.0.parse::<Repository>() else {
        return refusal(StatusCode::BAD_REQUEST, "NAME_INVALID", "invalid repository name");
    };
    match (kind.1, last) {
        ("tags", "list") => match registry.lock().store.tags(&repository) {
            Ok(all) => listed(&all, &page, path, |tags| json!({ "name": repository.as_str(), "tags": tags })),
            Err(missing) => absent(missing),
        },
        ("manifests", text) => match text.parse::<Reference>() {
            Ok(reference) => sent(registry.lock().store.manifest(&repository, &reference)),
            Err(_) => refusal(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", "neither a tag nor a digest"),
        },
        ("blobs", text) => match text.parse() {
            Ok(digest) => sent(registry.lock().store.blob(&repository, &digest)),
            Err(_) => refusal(StatusCode::BAD_REQUEST, "DIGEST_INVALID", "no SHA-256 digest"),
        },
        _ => unknown_path(),
    }
}

fn sent(found: Result<Content, Missing>) -> Response {
    match found {
        // The body of HEAD is left out by the server, which keeps the length.
        Ok(content) => Response::builder()
            .header(header::CONTENT_TYPE, content.media_type)
            .header(header::CONTENT_LENGTH, content.bytes.len())
            .header("docker-content-digest", content.digest.to_string())
            .body(Body::from(content.bytes))
            .unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()),
        Err(missing) => absent(missing),
    }
}

/// The entries after `page.last`, with a link to the next page if there is one.
fn listed(all: &[String], page: &Page, path: &str, body: impl Fn(&[String]) -> serde_json::Value) -> Response {
    let size = page.n.unwrap_or(LARGEST_PAGE).min(LARGEST_PAGE);
    let start = page.last.as_ref().map_or(0, |last| all.partition_point(|entry| entry <= last));
    let end = all.len().min(start + size);
    let entries = all.get(start..end).unwrap_or_default();
    let answer = axum::Json(body(entries));
    match entries.last().filter(|_| end < all.len()) {
        Some(last) => {
            ([(header::LINK, format!("<{path}?n={size}&last={last}>; rel=\"next\""))], answer).into_response()
        }
        None => answer.into_response(),
    }
}

fn absent(missing: Missing) -> Response {
    let (code, message) = match missing {
        Missing::Repository => ("NAME_UNKNOWN", "repository name not known to registry"),
        Missing::Manifest => ("MANIFEST_UNKNOWN", "manifest unknown"),
        Missing::Blob => ("BLOB_UNKNOWN", "blob unknown to registry"),
    };
    refusal(StatusCode::NOT_FOUND, code, message)
}

fn unknown_path() -> Response {
    refusal(StatusCode::NOT_FOUND, "UNSUPPORTED", "no such endpoint")
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Response {
    (status, axum::Json(json!({ "errors": [{ "code": code, "message": message }] }))).into_response()
}
