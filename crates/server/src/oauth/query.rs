//! `/oauth/revoke`, `/oauth/introspect`, `/oauth/device_authorization`: form in, JSON out.

use std::sync::Arc;

use axum::{extract::Request, response::Response};
use plimsoll_app::oauth::OAuthRequest;
use plimsoll_authority::oauth::OAuthError;
use serde::Serialize;

use super::{
    answer::{self, Caching},
    request,
};
use crate::state::Server;

pub(super) async fn token(server: Arc<Server>, request: Request) -> Response {
    serve(server, request, async |server, asked| server.app.oauth_token(asked).await).await
}

pub(super) async fn device_authorization(server: Arc<Server>, request: Request) -> Response {
    serve(server, request, async |server, asked| server.app.oauth_device_authorization(asked).await).await
}

pub(super) async fn revoke(server: Arc<Server>, request: Request) -> Response {
    #[derive(Serialize)]
    struct Nothing {}
    serve(server, request, async |server, asked| server.app.oauth_revoke(asked).await.map(|()| Nothing {})).await
}

pub(super) async fn introspect(server: Arc<Server>, request: Request) -> Response {
    serve(server, request, async |server, asked| server.app.oauth_introspect(asked).await).await
}

async fn serve<T: Serialize>(
    server: Arc<Server>,
    request: Request,
    answer: impl AsyncFnOnce(Arc<Server>, OAuthRequest) -> Result<T, OAuthError>,
) -> Response {
    let (origin, admitted) = request::admit(&server, &request);
    let request_id = origin.request_id.clone();
    let outcome = match admitted {
        Ok(()) => match request::read(request, origin).await {
            Ok(asked) => answer(server, asked).await,
            Err(error) => Err(error),
        },
        Err(error) => Err(error),
    };
    match outcome {
        Ok(value) => answer::ok(&value, Caching::Never, &request_id),
        Err(error) => answer::refuse(&error, &request_id),
    }
}
