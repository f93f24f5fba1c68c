//! The root key: wraps the data keys, and is itself in no database.

use std::fmt;

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{
    DataKey, KeyScope, WrappedDataKey,
    aead::{self, KEY_BYTES},
    place::data_key_place,
};
use crate::secret::{SecretBytes, SecretString};

/// What the text of a root key begins with.
const PREFIX: &str = "plimsoll-root-key-1:";

/// 256 random bits that everything sealed depends on.
pub struct RootKey(SecretBytes);

/// Tells root keys apart without telling anything about them; the database keeps it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyCheckValue([u8; 16]);

impl RootKey {
    /// A fresh key.
    #[must_use]
    pub fn generate(context: &Context) -> Self {
        Self(SecretBytes::from(context.random::<KEY_BYTES>().to_vec()))
    }

    /// From its text, as [`Self::to_text`] gives it: in a file, the environment, or a vault.
    pub fn from_text(text: &SecretString) -> Result<Self> {
        let refuse = || {
            Error::new(
                ErrorCode::RuleViolated,
                format!("this is not a root key: expected one line of {PREFIX} and 43 characters of base64url"),
            )
        };
        let encoded = text.expose_secret().trim().strip_prefix(PREFIX).ok_or_else(refuse)?;
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).map_err(|_| refuse())?);
        if bytes.len() != KEY_BYTES {
            return Err(refuse());
        }
        Ok(Self(SecretBytes::from(bytes.to_vec())))
    }

    /// One line of text.
    #[must_use]
    pub fn to_text(&self) -> SecretString {
        // Room for all of it, so that no copy is left behind by growing.
        let mut text = String::with_capacity(PREFIX.len() + 43);
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(self.0.expose_secret(), &mut text);
        SecretString::from(text)
    }

    /// What the database remembers this key by.
    #[must_use]
    pub fn check_value(&self) -> KeyCheckValue {
        let mut out = [0; 16];
        out.copy_from_slice(&self.derive(b"plimsoll root key check 1").as_ref()[..16]);
        KeyCheckValue(out)
    }

    /// Wraps a data key, to be stored.
    pub fn wrap(&self, key: &DataKey, context: &Context) -> Result<WrappedDataKey> {
        let place = data_key_place(key.scope, key.version);
        aead::seal(&self.wrapping()?, &place, key.bytes.expose_secret(), context).map(WrappedDataKey::from_bytes)
    }

    /// Opens a data key that this key wrapped for this scope and version.
    pub fn unwrap(&self, scope: KeyScope, version: u32, wrapped: &WrappedDataKey) -> Result<DataKey> {
        let bytes = aead::open(&self.wrapping()?, &data_key_place(scope, version), wrapped.as_bytes());
        let bytes = bytes.ok_or_else(|| {
            Error::internal_defect(format!("data key version {version} of {scope:?} does not open under this root key"))
        })?;
        Ok(DataKey { scope, version, bytes })
    }

    /// The key for wrapping is derived, so that the check value and the wrapped keys share none.
    fn wrapping(&self) -> Result<aws_lc_rs::aead::LessSafeKey> {
        aead::key(self.derive(b"plimsoll data key wrapping 1").as_ref())
    }

    fn derive(&self, label: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, self.0.expose_secret()), label)
    }
}

impl fmt::Debug for RootKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RootKey([REDACTED])")
    }
}

impl fmt::Display for KeyCheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyCheckValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::str::FromStr for KeyCheckValue {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut out = [0; 16];
        hex::decode_to_slice(text, &mut out)
            .map_err(|_| Error::internal_defect(format!("{text:?} is not a key check value")))?;
        Ok(Self(out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_key_reads_back_from_its_text_and_is_told_from_others() {
        let context = Context::system();
        let (one, other) = (RootKey::generate(&context), RootKey::generate(&context));
        let again = RootKey::from_text(&one.to_text()).unwrap();
        assert_eq!(again.check_value(), one.check_value());
        assert_eq!(one.check_value().to_string().parse::<KeyCheckValue>().unwrap(), one.check_value());
        assert_ne!(other.check_value(), one.check_value());
        assert_eq!(format!("{one:?}"), "RootKey([REDACTED])");
        let text = one.to_text().expose_secret().to_owned();
        for bad in ["", PREFIX, &text[..text.len() - 1], &text.replace('-', "_"), &format!("{text}AAAA")] {
            assert!(RootKey::from_text(&SecretString::from(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_data_key_opens_only_at_its_place_under_its_root_key() {
        let context = Context::system();
        let root = RootKey::generate(&context);
        let tenant = |n| KeyScope::Tenant(plimsoll_core::id::TypedId::from_uuid(uuid::Uuid::from_u128(n)));
        let key = DataKey::generate(tenant(1), 1, &context);
        let wrapped = root.wrap(&key, &context).unwrap();
        let opened = root.unwrap(tenant(1), 1, &wrapped).unwrap();
        assert_eq!(opened.bytes.expose_secret(), key.bytes.expose_secret());
        assert!(root.unwrap(tenant(2), 1, &wrapped).is_err());
        assert!(root.unwrap(tenant(1), 2, &wrapped).is_err());
        assert!(root.unwrap(KeyScope::Installation, 1, &wrapped).is_err());
        assert!(RootKey::generate(&context).unwrap(tenant(1), 1, &wrapped).is_err());
    }
}
