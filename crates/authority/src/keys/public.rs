//! A public key that tokens are checked against. The algorithm belongs to the key, never to a token.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use plimsoll_core::{Digest, Error, Result};
use serde::{Deserialize, Serialize};

use super::Jwk;

/// What a key can sign with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyAlgorithm {
    /// ECDSA over P-256 with SHA-256 (RFC 7518, section 3.4).
    #[serde(rename = "ES256")]
    Es256,
}

impl KeyAlgorithm {
    /// As `alg` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
        }
    }

    /// The length of a signature in bytes.
    pub(crate) const fn signature_bytes(self) -> usize {
        match self {
            Self::Es256 => 64,
        }
    }

    pub(crate) const fn for_jsonwebtoken(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::ES256,
        }
    }
}

/// A P-256 public key, checked to be a point on the curve, with its thumbprint as its id.
#[derive(Clone)]
pub struct PublicKey {
    kid: String,
    x: String,
    y: String,
    decoding: DecodingKey,
}

impl PublicKey {
    /// From the uncompressed point (SEC 1: `04`, x, y; 65 bytes).
    pub fn from_point(point: &[u8]) -> Result<Self> {
        let coordinates = match point {
            [0x04, coordinates @ ..] if coordinates.len() == 64 => coordinates,
            _ => return Err(refuse("key", "it must be an uncompressed P-256 point of 65 bytes")),
        };
        ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .map_err(|_| refuse("key", "the point is not on the curve P-256"))?;
        let (x, y) = coordinates.split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        Ok(Self { kid: thumbprint(&x, &y), decoding: DecodingKey::from_ec_der(point), x, y })
    }

    /// From a JWK, as an agent sends its own. A `kid` in it must be the key's thumbprint.
    pub fn from_jwk(jwk: &Jwk) -> Result<Self> {
        if jwk.kty != "EC" || jwk.crv != "P-256" {
            return Err(refuse("crv", "it must have kty EC and crv P-256"));
        }
        if jwk.alg.as_deref().is_some_and(|alg| alg != KeyAlgorithm::Es256.as_str()) {
            return Err(refuse("alg", "it must be ES256"));
        }
        if jwk.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err(refuse("use", "it must be sig"));
        }
        let mut point = vec![0x04];
        for (name, text) in [("x", &jwk.x), ("y", &jwk.y)] {
            let bytes = URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == 32);
            point.extend(bytes.ok_or_else(|| refuse(name, "it must be base64url of 32 bytes without padding"))?);
        }
        let key = Self::from_point(&point)?;
        match &jwk.kid {
            Some(kid) if *kid != key.kid => Err(refuse("kid", "it must be the key's RFC 7638 thumbprint, or absent")),
            _ => Ok(key),
        }
    }

    /// As the JWKS document shows it.
    #[must_use]
    pub fn to_jwk(&self) -> Jwk {
        Jwk {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x: self.x.clone(),
            y: self.y.clone(),
            kid: Some(self.kid.clone()),
            usage: Some("sig".to_owned()),
            alg: Some(self.algorithm().as_str().to_owned()),
        }
    }

    /// The RFC 7638 thumbprint: one key has one id, whoever computes it.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> KeyAlgorithm {
        KeyAlgorithm::Es256
    }

    pub(crate) const fn decoding(&self) -> &DecodingKey {
        &self.decoding
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.x == other.x && self.y == other.y
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

/// RFC 7638: the SHA-256 of the required members, in order and without white space.
fn thumbprint(x: &str, y: &str) -> String {
    let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    URL_SAFE_NO_PAD.encode(Digest::of(members.as_bytes()).as_bytes())
}

fn refuse(member: &str, rule: &str) -> Error {
    Error::field(format!("publicKey.{member}"), "public_key", rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 7515, appendix A.3.
    fn published() -> Jwk {
        serde_json::from_value(serde_json::json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        }))
        .unwrap()
    }

    #[test]
    fn a_published_key_reads_and_writes_back() {
        let key = PublicKey::from_jwk(&published()).unwrap();
        let shown = key.to_jwk();
        assert_eq!((&shown.x, &shown.y), (&published().x, &published().y));
        assert_eq!(PublicKey::from_jwk(&shown).unwrap(), key);
        // Computed with another implementation of RFC 7638.
        assert_eq!(key.kid(), "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
    }

    #[test]
    fn keys_that_are_not_p256_points_are_refused() {
        let good = published();
        let cases: Vec<Jwk> = vec![
            Jwk { kty: "RSA".into(), ..good.clone() },
            Jwk { crv: "P-384".into(), ..good.clone() },
            Jwk { alg: Some("ES384".into()), ..good.clone() },
            Jwk { usage: Some("enc".into()), ..good.clone() },
            Jwk { kid: Some("mine".into()), ..good.clone() },
            Jwk { x: good.y.clone(), ..good.clone() }, // CVE-2015-7940: not on the curve
            Jwk { x: "AA".into(), ..good.clone() },
            Jwk { y: format!("{}=", good.y), ..good.clone() },
        ];
        for bad in cases {
            assert!(PublicKey::from_jwk(&bad).is_err(), "{bad:?}");
        }
        assert!(PublicKey::from_point(&[0x04; 65]).is_err());
        assert!(PublicKey::from_point(&[0x00]).is_err(), "the point at infinity");
    }
}
