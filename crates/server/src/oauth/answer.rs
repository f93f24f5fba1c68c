//! Answers of the OAuth endpoints: JSON without the envelope (RFC 6749, sections 5.1 and 5.2).

use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use plimsoll_authority::oauth::{OAuthError, OAuthErrorCode};
use plimsoll_core::ErrorCode;
use serde::Serialize;

use crate::http::pipeline;

/// Whether an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caching {
    /// It holds a secret, or says something of one.
    Never,
    /// A public document, the same for everybody.
    Public,
}

/// 200 with JSON.
pub(super) fn ok<T: Serialize>(value: &T, caching: Caching, request_id: &str) -> Response {
    json(StatusCode::OK, value, caching, request_id)
}

/// An error, logged here, once.
pub(super) fn refuse(error: &OAuthError, request_id: &str) -> Response {
    match error.code {
        OAuthErrorCode::ServerError => tracing::error!(request_id, cause = ?error.cause(), "an OAuth request failed"),
        _ => tracing::debug!(request_id, error = %error, cause = ?error.cause(), "an OAuth request was refused"),
    }
    let throttled = error.cause().filter(|cause| cause.code() == ErrorCode::RateLimited);
    let status = match throttled {
        Some(_) => StatusCode::TOO_MANY_REQUESTS,
        None => StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let mut response = json(status, error, Caching::Never, request_id);
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"plimsoll\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    let wait = throttled.and_then(|cause| cause.public_details()?.get("retryAfterSeconds")?.as_u64());
    let wait = wait.or((status == StatusCode::SERVICE_UNAVAILABLE).then_some(2));
    if let Some(seconds) = wait {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json<T: Serialize>(status: StatusCode, value: &T, caching: Caching, request_id: &str) -> Response {
    // Our own types: they are JSON.
    let mut response = Response::new(Body::from(serde_json::to_vec(value).unwrap_or_default()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match caching {
        Caching::Never => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
        }
        Caching::Public => {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
        }
    }
    pipeline::finish(response, request_id)
}
