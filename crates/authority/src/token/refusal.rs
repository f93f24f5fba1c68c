//! Why a token is not accepted. The caller learns what to do; the exact reason is for the log.

use plimsoll_core::{Error, ErrorCode};

use super::MAX_TOKEN_BYTES;

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Larger than any token of ours.
    #[error("it is larger than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Not three parts, not base64url, not a JSON object, or a key occurs twice.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// A header that we don't accept.
    #[error("its header is refused: {0}")]
    Header(String),
    /// No published key has this id.
    #[error("no published key has its kid")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    Signature,
    /// A claim is missing, has the wrong type, or the wrong value.
    #[error("the claim {0} is missing or wrong")]
    Claim(String),
    /// `exp` has passed.
    #[error("it has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("it is not valid yet")]
    NotYetValid,
    /// Its `jti` was revoked, or the key that signed it withdrawn.
    #[error("it was revoked")]
    Revoked,
    /// Its principal was deactivated.
    #[error("its principal is deactivated")]
    Deactivated,
    /// It is older than the last change of what its principal may do.
    #[error("its authz_version is older than the principal's or the tenant's")]
    Stale,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let (code, message) = match &refusal {
            Refusal::TooLarge
            | Refusal::Malformed(_)
            | Refusal::Header(_)
            | Refusal::UnknownKey
            | Refusal::Signature
            | Refusal::Claim(_) => {
                (ErrorCode::Unauthenticated, "the token is not acceptable; fetch a new one at /oauth/token")
            }
            Refusal::Expired => (ErrorCode::Unauthenticated, "the token has expired; fetch a new one"),
            Refusal::NotYetValid => {
                (ErrorCode::Unauthenticated, "the token is not valid yet; compare the clocks of client and server")
            }
            Refusal::Revoked => (ErrorCode::Unauthenticated, "the token was revoked; sign in again"),
            Refusal::Deactivated => {
                (ErrorCode::Unauthenticated, "this account is deactivated; ask an administrator to activate it")
            }
            Refusal::Stale => (
                ErrorCode::TokenStale,
                "permissions changed since the token was issued; fetch a new one and repeat the call",
            ),
        };
        Self::new(code, message).internal(format!("the token was refused: {refusal}"))
    }
}
