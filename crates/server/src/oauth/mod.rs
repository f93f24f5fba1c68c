//! The OAuth endpoints, in OAuth's own formats and not in the envelope, and the page on which people sign in.

mod answer;
mod cookie;
mod device;
mod metadata;
mod page;
mod query;
mod request;

use std::{future::Future, sync::Arc};

use axum::{Router, extract::Request, middleware::from_fn_with_state, response::Response, routing::MethodRouter};
use plimsoll_authority::oauth::metadata::path;

use crate::{
    http::{rate, unknown_method},
    state::Server,
};

/// What people type instead of [`path::DEVICE`].
const SHORT: &str = "/device";

/// The routes, to be merged with the API's.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    Router::new()
        .route(path::TOKEN, posted(server, query::token))
        .route(path::REVOKE, posted(server, query::revoke))
        .route(path::INTROSPECT, posted(server, query::introspect))
        .route(path::DEVICE_AUTHORIZATION, posted(server, query::device_authorization))
        .route(path::DEVICE, page(server))
        .route(&format!("{}/password", path::DEVICE), posted(server, device::password))
        .route(&format!("{}/decision", path::DEVICE), posted(server, device::decision))
        .route(SHORT, unknown_method(server).get(device::short))
        .route(path::JWKS, got(server, metadata::jwks))
        .route(path::METADATA, got(server, metadata::metadata))
        .route(path::OPENID_CONFIGURATION, got(server, metadata::metadata))
        .layer(from_fn_with_state(Arc::clone(server), rate::by_address))
}

/// The page is shown, and sends its form to itself.
fn page(server: &Arc<Server>) -> MethodRouter {
    let (shown, sent) = (Arc::clone(server), Arc::clone(server));
    unknown_method(server)
        .get(move |request: Request| device::show(Arc::clone(&shown), request))
        .post(move |request: Request| device::sign_in(Arc::clone(&sent), request))
}

fn posted<F>(server: &Arc<Server>, handler: fn(Arc<Server>, Request) -> F) -> MethodRouter
where
    F: Future<Output = Response> + Send + 'static,
{
    let server = Arc::clone(server);
    unknown_method(&server).post(move |request: Request| handler(Arc::clone(&server), request))
}

fn got<F>(server: &Arc<Server>, handler: fn(Arc<Server>, Request) -> F) -> MethodRouter
where
    F: Future<Output = Response> + Send + 'static,
{
    let server = Arc::clone(server);
    unknown_method(&server).get(move |request: Request| handler(Arc::clone(&server), request))
}
