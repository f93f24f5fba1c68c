//! The text of a refresh token.
//!
//! It has three parts: the session's id, a secret of the whole family, and a secret of its own. So an old
//! token is told from an invented one without keeping every old token: the family's secret is right and
//! its own is not. Somebody who merely knows a session's id can't revoke it.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_core::{
    context::Context,
    id::{SessionId, TypedId},
};
use secrecy::ExposeSecret;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::secret::{SecretBytes, SecretString};

/// What the text of a token begins with.
const PREFIX: &str = "plr_";

const FAMILY_BYTES: usize = 16;
const OWN_BYTES: usize = 32;
const ALL_BYTES: usize = 16 + FAMILY_BYTES + OWN_BYTES;

/// A refresh token in memory.
pub struct RefreshToken {
    session: SessionId,
    pub(super) family: SecretBytes,
    pub(super) own: SecretBytes,
}

impl RefreshToken {
    /// The first of a new session.
    #[must_use]
    pub fn first(session: SessionId, context: &Context) -> Self {
        Self { session, family: random::<FAMILY_BYTES>(context), own: random::<OWN_BYTES>(context) }
    }

    /// The one after this.
    #[must_use]
    pub fn next(&self, context: &Context) -> Self {
        Self { session: self.session, family: self.family.clone(), own: random::<OWN_BYTES>(context) }
    }

    /// From its text; `None` if it can't be one.
    #[must_use]
    pub fn parse(text: &SecretString) -> Option<Self> {
        let encoded = text.expose_secret().strip_prefix(PREFIX)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
        let (session, secrets) = bytes.split_first_chunk::<16>()?;
        let (family, own) = secrets.split_first_chunk::<FAMILY_BYTES>()?;
        (own.len() == OWN_BYTES).then(|| Self {
            session: SessionId::from_uuid(Uuid::from_bytes(*session)),
            family: SecretBytes::from(family.to_vec()),
            own: SecretBytes::from(own.to_vec()),
        })
    }

    /// Its text, shown once.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        let mut bytes = Zeroizing::new(Vec::with_capacity(ALL_BYTES));
        bytes.extend_from_slice(self.session.uuid().as_bytes());
        bytes.extend_from_slice(self.family.expose_secret());
        bytes.extend_from_slice(self.own.expose_secret());
        let mut text = String::with_capacity(PREFIX.len() + 86);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes.as_slice(), &mut text);
        SecretString::from(text)
    }

    /// The session that it claims to be of.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.session
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken({}, [REDACTED])", self.session)
    }
}

fn random<const N: usize>(context: &Context) -> SecretBytes {
    SecretBytes::from(context.random::<N>().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_is_not_printed() {
        let context = Context::system();
        let token = RefreshToken::first(context.id(), &context);
        let text = token.to_text();
        let again = RefreshToken::parse(&text).unwrap();
        assert_eq!(again.session(), token.session());
        assert_eq!(again.to_text().expose_secret(), text.expose_secret());
        assert!(!format!("{token:?}").contains(&text.expose_secret()[30..]));
        let next = token.next(&context);
        assert_eq!(next.session(), token.session());
        assert_ne!(next.to_text().expose_secret(), text.expose_secret());
        let cut = &text.expose_secret()[..60];
        for bad in ["", PREFIX, cut, &format!("{}AAAA", text.expose_secret()), "eyJ.x.y"] {
            assert!(RefreshToken::parse(&SecretString::from(bad)).is_none(), "{bad}");
        }
    }
}
