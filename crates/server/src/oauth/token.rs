//! `/oauth/token`.

use std::sync::Arc;

use axum::{extract::Request, response::Response};
use plimsoll_authority::oauth::{OAuthError, TokenResponse};
use plimsoll_core::audit::Origin;

use super::{
    answer::{self, Caching},
    request,
};
use crate::state::Server;

pub(super) async fn token(server: Arc<Server>, request: Request) -> Response {
    let (origin, admitted) = request::admit(&server, &request);
    let request_id = origin.request_id.clone();
    let outcome = match admitted {
        Ok(()) => grant(&server, request, origin).await,
        Err(error) => Err(error),
    };
    match outcome {
        Ok(response) => answer::ok(&response, Caching::Never, &request_id),
        Err(error) => answer::refuse(&error, &request_id),
    }
}

async fn grant(server: &Server, request: Request, origin: Origin) -> Result<TokenResponse, OAuthError> {
    server.app.oauth_token(request::read(request, origin).await?).await
}
