//! Errors in OAuth's own format (RFC 6749, section 5.2; RFC 8628, section 3.5; RFC 7009, section 2.2.1).

use plimsoll_core::{Error, ErrorCode, error::ErrorKind};
use serde::{Deserialize, Serialize};

use crate::token::Refusal;

/// What `error` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OAuthErrorCode {
    /// A parameter is missing, repeated or malformed.
    InvalidRequest,
    /// The client is unknown or did not prove who it is.
    InvalidClient,
    /// The code, refresh token or assertion is wrong, expired, revoked, or another client's.
    InvalidGrant,
    /// The client may not use this grant.
    UnauthorizedClient,
    /// We don't offer this grant.
    UnsupportedGrantType,
    /// The scope is unknown, or more than the principal may do.
    InvalidScope,
    /// The user has not decided yet; ask again.
    AuthorizationPending,
    /// As pending, and ask less often: the interval grew by five seconds.
    SlowDown,
    /// The user said no.
    AccessDenied,
    /// The device code has expired; begin anew.
    ExpiredToken,
    /// A defect of ours.
    ServerError,
    /// Not now; the same request may work later.
    TemporarilyUnavailable,
}

/// An error as a client of the OAuth endpoints sees it.
#[derive(Debug)]
pub struct OAuthError {
    /// Its code.
    pub code: OAuthErrorCode,
    description: String,
    cause: Option<Box<Error>>,
}

/// The JSON body.
#[derive(Serialize)]
struct Body<'a> {
    error: OAuthErrorCode,
    error_description: &'a str,
    /// Ours, beside OAuth's few words: what agents decide by.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<ErrorCode>,
}

impl OAuthError {
    /// With what is wrong and what to do next.
    pub fn new(code: OAuthErrorCode, description: impl AsRef<str>) -> Self {
        Self { code, description: permitted(description.as_ref()), cause: None }
    }

    /// A token or assertion that was refused. The exact reason is for the log.
    #[must_use]
    pub fn refused(code: OAuthErrorCode, refusal: Refusal) -> Self {
        let description = match &refusal {
            Refusal::Expired => "the assertion has expired; sign a new one",
            Refusal::NotYetValid => "the assertion is not valid yet; compare the clocks of client and server",
            Refusal::Claim(_) => "a claim of the assertion is missing or wrong",
            Refusal::TooLarge
            | Refusal::Malformed(_)
            | Refusal::Header(_)
            | Refusal::UnknownKey
            | Refusal::Signature
            | Refusal::Revoked
            | Refusal::Deactivated
            | Refusal::Stale => "the assertion is not accepted",
        };
        Self { cause: Some(Box::new(refusal.into())), ..Self::new(code, description) }
    }

    /// What is wrong, in the characters that the format allows.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What the log should have.
    #[must_use]
    pub fn cause(&self) -> Option<&Error> {
        self.cause.as_deref()
    }

    /// The HTTP status. With 401 goes `WWW-Authenticate: Basic realm="plimsoll"` (RFC 6749, section 5.2).
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.code {
            OAuthErrorCode::InvalidClient => 401,
            OAuthErrorCode::ServerError => 500,
            OAuthErrorCode::TemporarilyUnavailable => 503,
            OAuthErrorCode::InvalidRequest
            | OAuthErrorCode::InvalidGrant
            | OAuthErrorCode::UnauthorizedClient
            | OAuthErrorCode::UnsupportedGrantType
            | OAuthErrorCode::InvalidScope
            | OAuthErrorCode::AuthorizationPending
            | OAuthErrorCode::SlowDown
            | OAuthErrorCode::AccessDenied
            | OAuthErrorCode::ExpiredToken => 400,
        }
    }
}

impl Serialize for OAuthError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let code = self.cause().map(Error::code);
        Body { error: self.code, error_description: &self.description, code }.serialize(serializer)
    }
}

impl From<Error> for OAuthError {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Invalid | ErrorKind::TooLarge | ErrorKind::UnsupportedMedia | ErrorKind::MethodNotAllowed => {
                OAuthErrorCode::InvalidRequest
            }
            ErrorKind::Unauthenticated => OAuthErrorCode::InvalidClient,
            ErrorKind::Forbidden => OAuthErrorCode::UnauthorizedClient,
            ErrorKind::NotFound | ErrorKind::Conflict | ErrorKind::Unprocessable => OAuthErrorCode::InvalidGrant,
            ErrorKind::Throttled | ErrorKind::Unavailable => OAuthErrorCode::TemporarilyUnavailable,
            ErrorKind::Internal => OAuthErrorCode::ServerError,
        };
        Self { code, description: permitted(error.message()), cause: Some(Box::new(error)) }
    }
}

impl std::fmt::Display for OAuthError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}: {}", self.code, self.description)
    }
}

impl std::error::Error for OAuthError {}

/// RFC 6749, section 5.2 allows printable ASCII without `"` and `\`.
fn permitted(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '"' => '\'',
            ' '..='~' if char != '\\' => char,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_oauths_own() {
        let error = OAuthError::new(OAuthErrorCode::InvalidScope, "\"moon:land\" \\ ist für uns nichts");
        let body = serde_json::to_value(&error).unwrap();
        let expected = "'moon:land' ? ist f?r uns nichts";
        assert_eq!(body, serde_json::json!({ "error": "invalid_scope", "error_description": expected }));
        assert_eq!(error.status(), 400);
    }

    #[test]
    fn our_errors_keep_their_secrets() {
        let error = OAuthError::from(Error::internal_defect("table users is gone"));
        assert_eq!((error.code, error.status()), (OAuthErrorCode::ServerError, 500));
        assert!(!serde_json::to_string(&error).unwrap().contains("users"));
        assert_eq!(error.cause().unwrap().internal_text(), Some("table users is gone"));
        let busy = OAuthError::from(Error::new(ErrorCode::Unavailable, "draining"));
        assert_eq!(busy.status(), 503);
        let locked = serde_json::to_value(OAuthError::from(Error::new(ErrorCode::AgentLocked, "locked"))).unwrap();
        let expected =
            serde_json::json!({ "error": "invalid_grant", "error_description": "locked", "code": "AGENT_LOCKED" });
        assert_eq!(locked, expected);
    }
}
