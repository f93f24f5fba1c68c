//! JSON Web Keys (RFC 7517, RFC 7518 section 6.2), for elliptic curve public keys alone.

use serde::{Deserialize, Serialize};

/// A P-256 public key as the JWKS document shows it and as an agent sends its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// Always `EC`.
    pub kty: String,
    /// Always `P-256`.
    pub crv: String,
    /// The point's x, base64url of 32 bytes.
    pub x: String,
    /// The point's y, base64url of 32 bytes.
    pub y: String,
    /// The key's thumbprint (RFC 7638).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Always `sig`, when present.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Always `ES256`, when present.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
}

/// What `/.well-known/jwks.json` answers (RFC 7517, section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The active key and those that still, or soon, matter.
    pub keys: Vec<Jwk>,
}
