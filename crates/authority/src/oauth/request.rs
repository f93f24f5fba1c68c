//! What is asked at the token, device, revocation and introspection endpoints.

use secrecy::ExposeSecret;

use super::{Form, OAuthError, OAuthErrorCode};
use crate::secret::SecretString;

/// The grants that we offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantType {
    /// A machine with its own secret (RFC 6749, section 4.4).
    ClientCredentials,
    /// A new access token for a session (RFC 6749, section 6).
    RefreshToken,
    /// A person signs in on another device (RFC 8628).
    DeviceCode,
    /// An agent with its own key (RFC 7523, section 2.1).
    JwtBearer,
}

impl GrantType {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::ClientCredentials, Self::RefreshToken, Self::DeviceCode, Self::JwtBearer];

    /// As `grant_type` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken => "refresh_token",
            Self::DeviceCode => "urn:ietf:params:oauth:grant-type:device_code",
            Self::JwtBearer => "urn:ietf:params:oauth:grant-type:jwt-bearer",
        }
    }
}

/// A request at `/oauth/token`.
#[derive(Debug)]
pub enum TokenRequest {
    /// See [`GrantType::ClientCredentials`].
    ClientCredentials {
        /// See [`super::narrow`].
        scope: Option<String>,
    },
    /// See [`GrantType::RefreshToken`].
    RefreshToken {
        /// See [`super::refresh::RefreshToken::parse`].
        refresh_token: SecretString,
        /// Must not be more than the session has.
        scope: Option<String>,
    },
    /// See [`GrantType::DeviceCode`].
    DeviceCode {
        /// Look it up by its [`crate::secret::fingerprint`].
        device_code: SecretString,
    },
    /// See [`GrantType::JwtBearer`].
    JwtBearer {
        /// See [`super::ClientAssertion`].
        assertion: SecretString,
        /// See [`super::narrow`].
        scope: Option<String>,
    },
}

impl TokenRequest {
    /// From the body, after [`super::PresentedClient::read`] took the client's part out of it. Parameters
    /// that we don't know are ignored (RFC 6749, section 3.2).
    pub fn read(form: &mut Form) -> Result<Self, OAuthError> {
        let wanted = form.require("grant_type")?;
        let wanted = wanted.expose_secret();
        let Some(grant) = GrantType::ALL.iter().copied().find(|grant| grant.as_str() == wanted) else {
            let offered = GrantType::ALL.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(", ");
            return Err(OAuthError::new(
                OAuthErrorCode::UnsupportedGrantType,
                format!("the grant {wanted:.64} is not offered; these are: {offered}"),
            ));
        };
        Ok(match grant {
            GrantType::ClientCredentials => Self::ClientCredentials { scope: form.take_text("scope") },
            GrantType::RefreshToken => {
                Self::RefreshToken { refresh_token: form.require("refresh_token")?, scope: form.take_text("scope") }
            }
            GrantType::DeviceCode => Self::DeviceCode { device_code: form.require("device_code")? },
            GrantType::JwtBearer => {
                Self::JwtBearer { assertion: form.require("assertion")?, scope: form.take_text("scope") }
            }
        })
    }
}

/// A request at `/oauth/device_authorization` (RFC 8628, section 3.1); the client is read separately.
#[derive(Debug)]
pub struct DeviceAuthorizationRequest {
    /// See [`super::narrow`].
    pub scope: Option<String>,
}

impl DeviceAuthorizationRequest {
    /// From the body.
    #[must_use]
    pub fn read(form: &mut Form) -> Self {
        Self { scope: form.take_text("scope") }
    }
}

/// A request at `/oauth/revoke` (RFC 7009, section 2.1) or `/oauth/introspect` (RFC 7662, section 2.1).
#[derive(Debug)]
pub struct TokenQuery {
    /// The access or refresh token. `token_type_hint` is not needed: the two look different.
    pub token: SecretString,
}

impl TokenQuery {
    /// From the body.
    pub fn read(form: &mut Form) -> Result<Self, OAuthError> {
        Ok(Self { token: form.require("token")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<TokenRequest, OAuthError> {
        TokenRequest::read(&mut Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn each_grant_is_read_with_its_parameters() {
        assert!(matches!(
            read("grant_type=client_credentials&scope=release%3Aread&resource=x"),
            Ok(TokenRequest::ClientCredentials { scope: Some(scope) }) if scope == "release:read"
        ));
        assert!(matches!(
            read("grant_type=refresh_token&refresh_token=r"),
            Ok(TokenRequest::RefreshToken { scope: None, .. })
        ));
        assert!(matches!(
            read("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=d"),
            Ok(TokenRequest::DeviceCode { .. })
        ));
        assert!(matches!(
            read("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a.b.c"),
            Ok(TokenRequest::JwtBearer { .. })
        ));
    }

    #[test]
    fn what_is_missing_or_not_offered_is_named() {
        for (body, code, named) in [
            ("", OAuthErrorCode::InvalidRequest, "grant_type"),
            ("grant_type=", OAuthErrorCode::InvalidRequest, "grant_type"),
            ("grant_type=refresh_token", OAuthErrorCode::InvalidRequest, "refresh_token"),
            ("grant_type=password&username=a&password=b", OAuthErrorCode::UnsupportedGrantType, "password"),
            ("grant_type=authorization_code&code=x", OAuthErrorCode::UnsupportedGrantType, "authorization_code"),
            ("grant_type=Client_Credentials", OAuthErrorCode::UnsupportedGrantType, "client_credentials"),
        ] {
            let error = read(body).unwrap_err();
            assert_eq!(error.code, code, "{body}");
            assert!(error.description().contains(named), "{error}");
        }
    }
}
