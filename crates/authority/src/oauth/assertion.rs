//! JWTs that agents and clients sign to say who they are (RFC 7523; RFC 7521, section 4.2).

use plimsoll_core::Timestamp;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::join::Join;
use crate::{
    keys::PublicKey,
    token::{HeaderRules, Leniency, Refusal, StrictToken, check_times},
};

/// How long an assertion may live.
pub const MAX_ASSERTION_SECONDS: i64 = 300;

/// The longest `jti`.
const MAX_JTI_BYTES: usize = 128;

/// `typ` of assertions: the usual one, and the explicit one of the draft that updates RFC 7523.
const TYPES: &[&str] = &["JWT", "client-authentication+jwt"];

/// What an assertion must say.
#[derive(Clone, Debug)]
pub struct AssertionRules {
    /// Whom it must name as `aud`: our issuer, or the token endpoint.
    pub audiences: Vec<String>,
}

/// An assertion that is well-formed; nobody vouches for what it says yet.
#[derive(Debug)]
pub struct ClientAssertion<'a>(StrictToken<'a>);

/// An assertion that its key signed. Its `jti` must still be used up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// The agent's or client's id.
    pub subject: String,
    /// The assertion's own id. Store it until `expires_at` and refuse it a second time; for agents
    /// [`super::join::judge`] does so.
    pub jti: String,
    /// The join sequence, which agents must give.
    pub seq: Option<u64>,
    /// Until when it is accepted.
    pub expires_at: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_audience")]
    aud: String,
    exp: i64,
    iat: i64,
    #[serde(default)]
    nbf: Option<i64>,
    jti: String,
    /// The agents' wire calls it so.
    #[serde(default, rename = "join_seq")]
    seq: Option<u64>,
}

impl<'a> ClientAssertion<'a> {
    /// Reads `text`.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        StrictToken::parse(text, HeaderRules { types: TYPES, lenient: Leniency::TypeAndKeyMayBeAbsent }).map(Self)
    }

    /// Whose key to look up. Good for nothing else.
    #[must_use]
    pub fn claimed_subject(&self) -> Option<&str> {
        self.0.unverified_text("sub")
    }

    /// Checks the assertion against the key that was registered for [`Self::claimed_subject`].
    pub fn verify(self, key: &PublicKey, rules: &AssertionRules, now: Timestamp) -> Result<VerifiedAssertion, Refusal> {
        if self.0.kid().is_some_and(|kid| kid != key.kid()) {
            return Err(Refusal::UnknownKey);
        }
        let claims: Claims = self.0.verify(key)?;
        let wrong = |name: &str| Err(Refusal::Claim(name.to_owned()));
        if claims.iss != claims.sub {
            return wrong("iss: must be sub");
        }
        if !rules.audiences.contains(&claims.aud) {
            return wrong("aud");
        }
        let expires_at = check_times(claims.exp, claims.nbf, claims.iat, now)?;
        if claims.exp.saturating_sub(claims.iat) > MAX_ASSERTION_SECONDS {
            return wrong("exp: more than 300 seconds after iat");
        }
        if claims.jti.is_empty()
            || claims.jti.len() > MAX_JTI_BYTES
            || !claims.jti.bytes().all(|b| b.is_ascii_graphic())
        {
            return wrong("jti: 1 to 128 visible ASCII characters");
        }
        Ok(VerifiedAssertion { subject: claims.sub, jti: claims.jti, seq: claims.seq, expires_at })
    }
}

impl VerifiedAssertion {
    /// What an agent's assertion says of its join; a client's says nothing.
    pub fn join(&self) -> Result<Join, Refusal> {
        // Databases count in signed integers.
        match self.seq.filter(|seq| (1..=i64::MAX as u64).contains(seq)) {
            Some(seq) => Ok(Join { seq, jti: self.jti.clone() }),
            None => Err(Refusal::Claim("join_seq: a whole number from 1".to_owned())),
        }
    }
}

/// A string, or a list of exactly one: an assertion for several servers could be passed on by one of them.
fn one_audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::String(one) => Ok(one),
        serde_json::Value::Array(mut list) if list.len() == 1 => match list.pop() {
            Some(serde_json::Value::String(one)) => Ok(one),
            _ => Err(D::Error::custom("aud: must be a string")),
        },
        _ => Err(D::Error::custom("aud: must be one string")),
    }
}
