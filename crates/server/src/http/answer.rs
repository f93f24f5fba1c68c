//! Answers, and the envelope around them.

use axum::{body::Body, response::Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use plimsoll_app::Reply;
use plimsoll_core::{Error, Result, Timestamp, error::ErrorKind};
use plimsoll_protocol::envelope::{ErrorBody, Failure, Meta, Pagination};
use plimsoll_store::resource::{Listing, Total};
use serde::Serialize;

use super::status;

/// A handler's answer, before the envelope.
#[derive(Debug)]
pub(crate) enum Answer {
    /// JSON data in the envelope.
    Data { status: StatusCode, data: Vec<u8>, headers: Vec<(HeaderName, String)>, pagination: Option<Pagination> },
    /// Something that is not in the envelope: a download, a stream's upgrade.
    Raw(Box<Response>),
}

impl Answer {
    /// 200 with `value`.
    pub(crate) fn ok<T: Serialize>(value: &T) -> Result<Self> {
        Ok(Self::Data { status: StatusCode::OK, data: json(value)?, headers: Vec::new(), pagination: None })
    }

    /// 200 with a resource and its `ETag`.
    pub(crate) fn resource<T: Serialize>(value: &T, revision: i64) -> Result<Self> {
        Ok(Self::ok(value)?.with(header::ETAG, format!("\"{revision}\"")))
    }

    /// A page of a list.
    pub(crate) fn page<T: Serialize>(listing: &Listing<T>) -> Result<Self> {
        let (count, size) = (listing.total.count(), u64::from(listing.page_size));
        let pagination = Pagination {
            page: listing.page,
            page_size: listing.page_size,
            total_items: count,
            total_pages: count.div_ceil(size.max(1)),
            has_next: listing.has_next,
            has_previous: listing.page > 1,
        };
        let answer = Self::Data {
            status: StatusCode::OK,
            data: json(&listing.items)?,
            headers: Vec::new(),
            pagination: Some(pagination),
        };
        Ok(match listing.total {
            Total::Exact(_) => answer,
            Total::Estimated(_) => answer.with(HeaderName::from_static("x-total-count-estimated"), "true".to_owned()),
        })
    }

    /// 200 with a text that is not in the envelope.
    pub(crate) fn plain(media_type: &'static str, text: String) -> Result<Self> {
        let headers = vec![(header::CONTENT_TYPE, media_type.to_owned())];
        Ok(Self::Raw(Box::new(respond(StatusCode::OK, text.into_bytes(), headers)?)))
    }

    /// What a mutation committed.
    pub(crate) fn reply(reply: Reply) -> Result<Self> {
        let status = StatusCode::from_u16(reply.answer.status)
            .map_err(|_| Error::internal_defect("a stored answer has no valid status"))?;
        let mut answer = if status == StatusCode::NO_CONTENT {
            Self::Data { status, data: Vec::new(), headers: Vec::new(), pagination: None }
        } else {
            Self::Data { status, data: reply.answer.answer, headers: Vec::new(), pagination: None }
        };
        if let Some(location) = reply.answer.location {
            answer = answer.with(header::LOCATION, location);
        }
        if let Some(revision) = reply.answer.revision {
            answer = answer.with(header::ETAG, format!("\"{revision}\""));
        }
        if reply.replayed {
            answer = answer.with(HeaderName::from_static("idempotency-replayed"), "true".to_owned());
        }
        Ok(answer)
    }

    /// The same answer with a further header.
    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Self {
        if let Self::Data { headers, .. } = &mut self {
            headers.push((name, value));
        }
        self
    }
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))
}

/// Puts an answer into the envelope.
pub(crate) fn envelop(answer: Answer, request_id: &str, now: Timestamp) -> Result<Response> {
    match answer {
        Answer::Raw(response) => Ok(*response),
        Answer::Data { status: StatusCode::NO_CONTENT, headers, .. } => {
            respond(StatusCode::NO_CONTENT, Vec::new(), headers)
        }
        Answer::Data { status, data, headers, pagination } => {
            let meta = json(&Meta { request_id: request_id.to_owned(), timestamp: now, pagination })?;
            // The data is JSON that we wrote: it is not read again.
            let parts: [&[u8]; 5] = [b"{\"success\":true,\"data\":", &data, b",\"meta\":", &meta, b"}"];
            respond(status, parts.concat(), headers)
        }
    }
}

/// An error in the envelope. Logged here, once, at the boundary.
pub(crate) fn refuse(error: &Error, request_id: &str, now: Timestamp) -> Response {
    match error.kind() {
        ErrorKind::Internal => tracing::error!(request_id, error = ?error, "a request failed"),
        ErrorKind::Unavailable => tracing::warn!(request_id, error = ?error, "a request could not be served"),
        _ => tracing::debug!(request_id, error = ?error, "a request was refused"),
    }
    let meta = Meta { request_id: request_id.to_owned(), timestamp: now, pagination: None };
    let failure = Failure { success: false, error: ErrorBody::from(error), meta };
    let mut headers = Vec::new();
    match error.kind() {
        ErrorKind::Unauthenticated => headers.push((header::WWW_AUTHENTICATE, challenge(error))),
        ErrorKind::Unavailable => headers.push((header::RETRY_AFTER, "2".to_owned())),
        ErrorKind::Throttled => {
            let seconds = error.public_details().and_then(|details| details.get("retryAfterSeconds")?.as_u64());
            headers.push((header::RETRY_AFTER, seconds.unwrap_or(1).to_string()));
        }
        _ => {}
    }
    let body = serde_json::to_vec(&failure).unwrap_or_default();
    respond(status::of(error.kind()), body, headers).unwrap_or_else(|_| {
        let mut plain = Response::new(Body::empty());
        *plain.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        plain
    })
}

/// RFC 6750, section 3.1: who sent no token is told no error, only how to authenticate.
fn challenge(error: &Error) -> String {
    if crate::state::is_missing(error) {
        return "Bearer realm=\"plimsoll\"".to_owned();
    }
    format!("Bearer realm=\"plimsoll\", error=\"invalid_token\", error_description=\"{}\"", header_text(error))
}

fn header_text(error: &Error) -> String {
    error
        .message()
        .chars()
        .filter(|one| one.is_ascii_graphic() || *one == ' ')
        .filter(|one| *one != '"' && *one != '\\')
        .collect()
}

fn respond(status: StatusCode, body: Vec<u8>, headers: Vec<(HeaderName, String)>) -> Result<Response> {
    let mut response = Response::new(if body.is_empty() { Body::empty() } else { Body::from(body) });
    *response.status_mut() = status;
    if status != StatusCode::NO_CONTENT {
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for (name, value) in headers {
        let value = HeaderValue::from_str(&value)
            .map_err(|_| Error::internal_defect(format!("the header {name} cannot be sent")))?;
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}
