//! The operator's own listener, on loopback unless told otherwise: metrics and health, never the API.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, header};
use plimsoll_core::{Error, ErrorCode, Result};
use tokio::net::TcpListener;

use crate::{health, metrics, state::Server};

/// Prometheus asks for this form.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Takes the address.
pub(crate) async fn bind(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| {
        Error::new(
            ErrorCode::Unavailable,
            format!(
                "cannot listen for the operator at {address}: {cause}; choose another address with --operator-listen"
            ),
        )
    })
}

pub(crate) fn router(server: &Arc<Server>) -> Router {
    let (measured, alive, ready) = (Arc::clone(server), Arc::clone(server), Arc::clone(server));
    Router::new()
        .route("/metrics", get(move || measure(Arc::clone(&measured))))
        .route("/healthz", get(move || health::alive(Arc::clone(&alive))))
        .route("/readyz", get(move || health::ready(Arc::clone(&ready))))
}

async fn measure(server: Arc<Server>) -> Response {
    match metrics::text(&server).await {
        Ok(text) => ([(header::CONTENT_TYPE, OPENMETRICS)], text).into_response(),
        Err(error) => {
            tracing::warn!(error = ?error, "the metrics could not be read");
            (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", error.message())).into_response()
        }
    }
}
