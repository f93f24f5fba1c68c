//! The strict reading of a compact JWS, before and around the JWT library.
//!
//! The library decides about the signature. Here is what it leaves open: size, shape, keys that occur
//! twice, header parameters, and the types of claims. What is not known to be needed is refused.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Validation, errors::ErrorKind};
use plimsoll_core::{Timestamp, json};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{CLOCK_SKEW_SECONDS, Refusal};
use crate::keys::PublicKey;

/// The largest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Claims nest no deeper than an array or object inside the claims object.
const MAX_DEPTH: usize = 4;

/// The last instant of year 9999; what is later is no time.
const LAST_SECOND: i64 = 253_402_300_799;

/// What a kind of token must have in its header (RFC 8725, section 3.11: kinds never mix).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeaderRules<'r> {
    /// Accepted values of `typ`.
    pub types: &'r [&'r str],
    /// Whether `typ` and `kid` may be absent.
    pub lenient: Leniency,
}

/// Whether a header may leave out what others must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leniency {
    /// `typ` and `kid` must be there: our own tokens.
    None,
    /// They may be absent: a client's assertion, where the key is known from elsewhere.
    TypeAndKeyMayBeAbsent,
}

/// A token that is well-formed, and nothing more: nobody vouches for what it says yet.
#[derive(Debug)]
pub(crate) struct StrictToken<'a> {
    text: &'a str,
    kid: Option<String>,
    claims: Map<String, Value>,
}

impl<'a> StrictToken<'a> {
    /// Reads `text` by `rules`.
    pub fn parse(text: &'a str, rules: HeaderRules<'_>) -> Result<Self, Refusal> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(Refusal::TooLarge);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(claims), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::Malformed("it has not three parts".to_owned()));
        };
        let header = object("header", &decode("header", header)?)?;
        let claims = object("claims", &decode("claims", claims)?)?;
        // The only algorithm there is; a signature of another length is none.
        let length = decode("signature", signature)?.len();
        let kid = check_header(header, rules)?;
        if length != crate::keys::KeyAlgorithm::Es256.signature_bytes() {
            return Err(Refusal::Signature);
        }
        Ok(Self { text, kid, claims })
    }

    /// The header's `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// A claim that nobody vouches for yet: good for finding the key, and for nothing else.
    pub fn unverified_text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The claims, if `key` signed them and they have the types of `C`.
    pub fn verify<C: DeserializeOwned>(self, key: &PublicKey) -> Result<C, Refusal> {
        super::install_provider();
        let mut rules = Validation::new(key.algorithm().for_jsonwebtoken());
        // Times and names are checked by [`check_times`] and the callers: the library would take the
        // system's clock, and accepts more types than we do.
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_nbf, rules.validate_aud) = (false, false, false);
        jsonwebtoken::decode::<serde::de::IgnoredAny>(self.text, key.decoding(), &rules).map_err(
            |cause| match cause.into_kind() {
                ErrorKind::InvalidSignature => Refusal::Signature,
                other => Refusal::Malformed(format!("{other:?}")),
            },
        )?;
        serde_json::from_value(Value::Object(self.claims)).map_err(|cause| Refusal::Claim(cause.to_string()))
    }
}

/// Checks `exp`, `nbf` and `iat` against `now`; gives the instant of `exp`.
pub(crate) fn check_times(exp: i64, nbf: Option<i64>, iat: i64, now: Timestamp) -> Result<Timestamp, Refusal> {
    for (name, seconds) in [("exp", Some(exp)), ("nbf", nbf), ("iat", Some(iat))] {
        if seconds.is_some_and(|seconds| !(0..=LAST_SECOND).contains(&seconds)) {
            return Err(Refusal::Claim(format!("{name}: not a time")));
        }
    }
    if now >= Timestamp::from_seconds(exp) {
        return Err(Refusal::Expired);
    }
    let latest = now.plus_seconds(CLOCK_SKEW_SECONDS);
    if Timestamp::from_seconds(iat) > latest || nbf.is_some_and(|nbf| Timestamp::from_seconds(nbf) > latest) {
        return Err(Refusal::NotYetValid);
    }
    Ok(Timestamp::from_seconds(exp))
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, Refusal> {
    // The engine refuses padding, white space, the other alphabet, and unused bits that are not zero:
    // one value has one spelling.
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Refusal::Malformed(format!("its {part} is not base64url")))
}

fn object(part: &str, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match json::parse_strict(bytes, MAX_DEPTH) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::Malformed(format!("its {part} is not a JSON object"))),
        Err(cause) => Err(Refusal::Malformed(format!("its {part}: {}", cause.message()))),
    }
}

/// Accepts `alg`, `typ` and `kid` alone. So `jku`, `x5u`, `jwk`, `x5c` (keys from the token itself),
/// `crit`, `b64`, `zip` and `enc` (rules of the token's own) never have an effect.
fn check_header(header: Map<String, Value>, rules: HeaderRules<'_>) -> Result<Option<String>, Refusal> {
    let (mut alg, mut typ, mut kid) = (None, None, None);
    for (name, value) in header {
        let slot = match name.as_str() {
            "alg" => &mut alg,
            "typ" => &mut typ,
            "kid" => &mut kid,
            other => return Err(Refusal::Header(format!("parameter {other:?}"))),
        };
        match value {
            Value::String(text) => *slot = Some(text),
            _ => return Err(Refusal::Header(format!("{name} is not a string"))),
        }
    }
    if alg.as_deref() != Some(crate::keys::KeyAlgorithm::Es256.as_str()) {
        return Err(Refusal::Header("alg is not the key's".to_owned()));
    }
    let lenient = rules.lenient == Leniency::TypeAndKeyMayBeAbsent;
    match typ {
        Some(typ) if rules.types.contains(&typ.as_str()) => {}
        None if lenient => {}
        _ => return Err(Refusal::Header("typ is not that of this kind of token".to_owned())),
    }
    if kid.is_none() && !lenient {
        return Err(Refusal::Header("kid is absent".to_owned()));
    }
    Ok(kid)
}
