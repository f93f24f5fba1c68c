//! The OAuth endpoints, in OAuth's own formats and not in the envelope.

mod answer;
mod metadata;
mod request;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    routing::{get, post},
};
use plimsoll_authority::oauth::metadata::path;

use crate::state::Server;

/// The routes, to be merged with the API's.
pub(crate) fn router(server: &Arc<Server>) -> Router {
    let with = |server: &Arc<Server>| Arc::clone(server);
    let (tokens, keys, discovery, openid) = (with(server), with(server), with(server), with(server));
    Router::new()
        .route(path::TOKEN, post(move |request: Request| token::token(Arc::clone(&tokens), request)))
        .route(path::JWKS, get(move |request: Request| metadata::jwks(Arc::clone(&keys), request)))
        .route(path::METADATA, get(move |request: Request| metadata::metadata(Arc::clone(&discovery), request)))
        .route(
            path::OPENID_CONFIGURATION,
            get(move |request: Request| metadata::metadata(Arc::clone(&openid), request)),
        )
}
