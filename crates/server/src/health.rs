//! Whether the server lives, and whether it can serve.

use std::sync::{Arc, atomic::Ordering};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use plimsoll_store::{Scope, SystemReason, params};

use crate::state::Server;

/// The process answers.
pub(crate) async fn alive(_: Arc<Server>) -> Response {
    (StatusCode::OK, "alive\n").into_response()
}

/// The database answers and the server is not draining.
pub(crate) async fn ready(server: Arc<Server>) -> Response {
    if server.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    let asked = server
        .app
        .store
        .read(Scope::System(SystemReason::Administration), "readiness", |tx| {
            tx.query_one("SELECT version FROM schema_version WHERE one = 1", params![])?.first::<i64>()
        })
        .await;
    match asked {
        Ok(_) => (StatusCode::OK, "ready\n").into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, format!("database: {}\n", error.message())).into_response(),
    }
}
