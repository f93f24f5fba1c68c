//! Requests to the OAuth endpoints: limited by address, form-encoded, bounded.

use axum::{body::Body, extract::Request};
use http::header;
use http_body_util::{BodyExt, Limited};
use plimsoll_app::oauth::OAuthRequest;
use plimsoll_authority::oauth::{Form, MAX_FORM_BYTES, OAuthError, OAuthErrorCode};
use plimsoll_core::audit::Origin;

use crate::{
    http::{pipeline, rate},
    state::Server,
};

/// Where a request comes from, if its address may ask more now.
pub(super) fn admit(server: &Server, request: &Request) -> (Origin, Result<(), OAuthError>) {
    (pipeline::origin(server, request), rate::admitted(request).map_err(Into::into))
}

/// Reads the body.
pub(super) async fn read(request: Request, origin: Origin) -> Result<OAuthRequest, OAuthError> {
    let (parts, body) = request.into_parts();
    let text = |name| parts.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let media = text(header::CONTENT_TYPE).unwrap_or_default();
    let essence = media.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("send the parameters as Content-Type: application/x-www-form-urlencoded"));
    }
    let form = Form::parse(&collect(body).await?)?;
    Ok(OAuthRequest { authorization: text(header::AUTHORIZATION).map(str::to_owned), form, origin })
}

async fn collect(body: Body) -> Result<bytes::Bytes, OAuthError> {
    match Limited::new(body, MAX_FORM_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(_) => Err(invalid("the request is too large, or did not arrive whole")),
    }
}

fn invalid(text: &str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, text)
}
