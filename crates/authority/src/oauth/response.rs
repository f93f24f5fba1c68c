//! What the OAuth endpoints answer. With each goes `Cache-Control: no-store` (RFC 6749, section 5.1).

use plimsoll_core::audit::PrincipalType;
use secrecy::ExposeSecret;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use crate::{
    secret::SecretString,
    token::{IssuedToken, VerifiedToken},
};

/// A token answer (RFC 6749, section 5.1). The only place where tokens are written out.
#[derive(Debug, Serialize)]
pub struct TokenResponse {
    #[serde(serialize_with = "shown")]
    access_token: SecretString,
    token_type: &'static str,
    expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown_if_any")]
    refresh_token: Option<SecretString>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

impl TokenResponse {
    /// With the scope that was granted, and a refresh token if the grant gives one.
    #[must_use]
    pub fn new(issued: IssuedToken, refresh_token: Option<SecretString>, scope: Option<String>) -> Self {
        Self {
            access_token: issued.token,
            token_type: "Bearer",
            expires_in: issued.expires_in_seconds,
            refresh_token,
            scope,
        }
    }
}

/// The answer that begins a sign-in on another device (RFC 8628, section 3.2).
#[derive(Debug, Serialize)]
pub struct DeviceAuthorizationResponse {
    #[serde(serialize_with = "shown")]
    device_code: SecretString,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: i64,
    interval: i64,
}

impl DeviceAuthorizationResponse {
    /// `verification_uri` is the page where the user types the code.
    #[must_use]
    pub fn new(
        device_code: SecretString,
        user_code: &super::device::UserCode,
        verification_uri: &str,
        grant: &super::device::DeviceGrant,
    ) -> Self {
        Self {
            device_code,
            user_code: user_code.to_string(),
            verification_uri: verification_uri.to_owned(),
            verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
            expires_in: super::device::DEVICE_SECONDS,
            interval: grant.interval_seconds,
        }
    }
}

/// What `/oauth/introspect` answers (RFC 7662, section 2.2). For a token that is not accepted, whatever
/// the reason, it says `active: false` and nothing more.
#[derive(Debug, Default, Serialize)]
pub struct IntrospectionResponse {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_type: Option<PrincipalType>,
}

impl IntrospectionResponse {
    /// Not accepted.
    #[must_use]
    pub fn inactive() -> Self {
        Self::default()
    }

    /// Accepted. Answer so only to a caller of the same tenant.
    #[must_use]
    pub fn active(token: &VerifiedToken) -> Self {
        use plimsoll_core::id::TypedId;
        let principal = &token.principal;
        Self {
            active: true,
            scope: token.scope.clone(),
            client_id: Some(token.client_id.clone()),
            username: Some(principal.name.clone()),
            token_type: Some("Bearer"),
            exp: Some(token.expires_at.as_seconds()),
            sub: Some(principal.id),
            jti: Some(principal.token_id.clone()),
            tenant_id: Some(principal.tenant.uuid()),
            principal_type: Some(principal.kind),
        }
    }
}

fn shown<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

#[expect(clippy::ref_option, reason = "serde gives the field's own type")]
fn shown_if_any<S: Serializer>(secret: &Option<SecretString>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => shown(secret, serializer),
        None => serializer.serialize_none(),
    }
}
