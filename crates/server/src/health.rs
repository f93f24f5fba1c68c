//! Whether the server lives, and whether it can serve.

use std::sync::{Arc, atomic::Ordering};

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use plimsoll_core::{Error, Result};
use plimsoll_store::{Scope, SystemReason, migrate};

use crate::state::Server;

/// The process answers.
pub(crate) async fn alive(_: Arc<Server>) -> Response {
    (StatusCode::OK, "alive\n").into_response()
}

/// The database answers with a schema that this program can read, the key that signs tokens is there, and the server
/// is not draining.
pub(crate) async fn ready(server: Arc<Server>) -> Response {
    if server.draining.load(Ordering::Relaxed) {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match able(&server).await {
        Ok(()) => (StatusCode::OK, "ready\n").into_response(),
        Err((what, error)) => {
            tracing::warn!(what, error = ?error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{what}: {}\n", error.message())).into_response()
        }
    }
}

/// What is missing, and why.
async fn able(server: &Server) -> Result<(), (&'static str, Error)> {
    let app = &server.app;
    let scope = Scope::System(SystemReason::Administration);
    app.store.read(scope, "readiness", migrate::check_readable).await.map_err(|error| ("database", error))?;
    app.check_signing_key().await.map_err(|error| ("signing key", error))
}
