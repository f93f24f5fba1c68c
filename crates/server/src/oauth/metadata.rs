//! What clients discover: the keys, and where the endpoints are.

use std::sync::Arc;

use axum::{extract::Request, response::Response};
use plimsoll_authority::oauth::metadata::AuthorizationServerMetadata;

use super::{
    answer::{self, Caching},
    request,
};
use crate::state::Server;

pub(super) async fn jwks(server: Arc<Server>, request: Request) -> Response {
    let (origin, admitted) = request::admit(&server, &request);
    let outcome = admitted.and_then(|()| Ok(server.app.authority()?.issuer().keys().jwks()));
    match outcome {
        Ok(document) => answer::ok(&document, Caching::Public, &origin.request_id),
        Err(error) => answer::refuse(&error, &origin.request_id),
    }
}

pub(super) async fn metadata(server: Arc<Server>, request: Request) -> Response {
    let (origin, admitted) = request::admit(&server, &request);
    let outcome = admitted.and_then(|()| Ok(AuthorizationServerMetadata::new(server.app.authority()?.issuer().iss())));
    match outcome {
        Ok(document) => answer::ok(&document, Caching::Public, &origin.request_id),
        Err(error) => answer::refuse(&error, &origin.request_id),
    }
}
