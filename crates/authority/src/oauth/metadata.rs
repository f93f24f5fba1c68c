//! What clients discover: RFC 8414 and its OpenID Connect relative.

use serde::{Deserialize, Serialize};

use super::GrantType;
use crate::keys::KeyAlgorithm;

/// The paths of the endpoints, below the issuer's URL.
pub mod path {
    /// RFC 6749, section 3.2.
    pub const TOKEN: &str = "/oauth/token";
    /// RFC 8628, section 3.1.
    pub const DEVICE_AUTHORIZATION: &str = "/oauth/device_authorization";
    /// Where a person types the device's code.
    pub const DEVICE: &str = "/oauth/device";
    /// RFC 7009.
    pub const REVOKE: &str = "/oauth/revoke";
    /// RFC 7662.
    pub const INTROSPECT: &str = "/oauth/introspect";
    /// RFC 7517.
    pub const JWKS: &str = "/.well-known/jwks.json";
    /// RFC 8414.
    pub const METADATA: &str = "/.well-known/oauth-authorization-server";
    /// OpenID Connect Discovery 1.0.
    pub const OPENID_CONFIGURATION: &str = "/.well-known/openid-configuration";
}

/// The document at [`path::METADATA`] and [`path::OPENID_CONFIGURATION`].
///
/// The same document answers at both places, as RFC 8414, section 5 allows, for those who look for our keys
/// only at the second. It names no authorization endpoint, since no grant offered uses one, and we issue no
/// ID tokens: it is not an OpenID provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationServerMetadata {
    /// Equal to `iss` of the tokens.
    pub issuer: String,
    /// Where tokens are fetched.
    pub token_endpoint: String,
    /// Where a sign-in on another device begins.
    pub device_authorization_endpoint: String,
    /// Where tokens are revoked.
    pub revocation_endpoint: String,
    /// Where tokens are asked about.
    pub introspection_endpoint: String,
    /// The public keys.
    pub jwks_uri: String,
    /// See [`GrantType`].
    pub grant_types_supported: Vec<String>,
    /// None: there is no authorization endpoint.
    pub response_types_supported: Vec<String>,
    /// How clients prove who they are; `none` is a public client.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// What they sign assertions with.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// As at the token endpoint: a public client revokes its own tokens.
    pub revocation_endpoint_auth_methods_supported: Vec<String>,
    /// As at the token endpoint, without public clients.
    pub introspection_endpoint_auth_methods_supported: Vec<String>,
    /// OpenID Connect asks for it: one subject, one id.
    pub subject_types_supported: Vec<String>,
    /// OpenID Connect asks for it: what our tokens are signed with.
    pub id_token_signing_alg_values_supported: Vec<String>,
}

impl AuthorizationServerMetadata {
    /// For an installation whose tokens say `issuer`, its public base URL without a slash at the end.
    #[must_use]
    pub fn new(issuer: &str) -> Self {
        let at = |path: &str| format!("{issuer}{path}");
        let list = |items: &[&str]| items.iter().map(ToString::to_string).collect::<Vec<_>>();
        let confidential = list(&["client_secret_basic", "client_secret_post", "private_key_jwt"]);
        let algorithms = list(&[KeyAlgorithm::Es256.as_str()]);
        Self {
            issuer: issuer.to_owned(),
            token_endpoint: at(path::TOKEN),
            device_authorization_endpoint: at(path::DEVICE_AUTHORIZATION),
            revocation_endpoint: at(path::REVOKE),
            introspection_endpoint: at(path::INTROSPECT),
            jwks_uri: at(path::JWKS),
            grant_types_supported: GrantType::ALL.iter().map(|grant| grant.as_str().to_owned()).collect(),
            response_types_supported: Vec::new(),
            token_endpoint_auth_methods_supported: [confidential.clone(), list(&["none"])].concat(),
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint_auth_methods_supported: [confidential.clone(), list(&["none"])].concat(),
            introspection_endpoint_auth_methods_supported: confidential,
            subject_types_supported: list(&["public"]),
            id_token_signing_alg_values_supported: algorithms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document() {
        insta::assert_json_snapshot!(AuthorizationServerMetadata::new("https://plimsoll.example"));
    }
}
