//! Sealing and opening values with a scope's data keys.

use std::fmt;

use aws_lc_rs::aead::LessSafeKey;
use plimsoll_core::{Error, Result, context::Context};
use secrecy::ExposeSecret;

use super::{Aad, DataKey, KeyScope, aead};
use crate::secret::SecretBytes;

/// The first byte of a sealed value: how the rest is to be read.
const FORMAT: u8 = 1;

/// Bytes in front of nonce and ciphertext: the format and the data key's version.
const HEADER_BYTES: usize = 1 + 4;

/// A sealed value as it is stored: format, data key version, nonce, ciphertext, tag.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedBytes(Vec<u8>);

impl SealedBytes {
    /// As read from the database.
    #[must_use]
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To be stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The version of the data key that sealed it, if the value has the form of one.
    #[must_use]
    pub fn key_version(&self) -> Option<u32> {
        let (FORMAT, version) = self.0.get(..HEADER_BYTES)?.split_first().map(|(first, rest)| (*first, rest))? else {
            return None;
        };
        version.try_into().ok().map(u32::from_be_bytes)
    }
}

impl fmt::Debug for SealedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedBytes({} bytes)", self.0.len())
    }
}

/// Seals and opens the values of one scope.
pub struct Sealer {
    scope: KeyScope,
    current: u32,
    keys: Vec<(u32, LessSafeKey)>,
    context: Context,
}

impl Sealer {
    /// With all data keys of one scope; the one with the highest version seals.
    pub fn new(keys: impl IntoIterator<Item = DataKey>, context: Context) -> Result<Self> {
        let mut ready = Vec::new();
        let mut scopes = Vec::new();
        for key in keys {
            scopes.push(key.scope);
            ready.push((key.version, aead::key(key.bytes.expose_secret())?));
        }
        match (ready.iter().map(|(version, _)| *version).max(), scopes.as_slice()) {
            (Some(current), [scope, rest @ ..]) if rest.iter().all(|other| other == scope) => {
                Ok(Self { scope: *scope, current, keys: ready, context })
            }
            _ => Err(Error::internal_defect("a sealer needs at least one data key, all of the same scope")),
        }
    }

    /// Whose values it seals.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    /// Seals `plain` for the place `aad`. Seal before the transaction: a closure may run twice.
    pub fn seal(&self, aad: &Aad, plain: &[u8]) -> Result<SealedBytes> {
        let key = self.key(self.current).ok_or_else(|| Error::internal_defect("a sealer lost its key"))?;
        let body = aead::seal(key, &aad.bytes(self.scope, self.current), plain, &self.context)?;
        Ok(SealedBytes([&[FORMAT], self.current.to_be_bytes().as_slice(), &body].concat()))
    }

    /// Opens a value that was sealed for the place `aad`.
    pub fn open(&self, aad: &Aad, sealed: &SealedBytes) -> Result<SecretBytes> {
        let version = sealed.key_version();
        let opened = version.and_then(|version| {
            aead::open(self.key(version)?, &aad.bytes(self.scope, version), sealed.0.get(HEADER_BYTES..)?)
        });
        opened.ok_or_else(|| {
            Error::internal_defect(format!(
                "the sealed value {aad} in {:?} does not open with data key {version:?}: moved, changed, or the key is gone",
                self.scope
            ))
        })
    }

    /// Whether the newest data key sealed it; the others are sealed anew after a rotation.
    #[must_use]
    pub fn is_current(&self, sealed: &SealedBytes) -> bool {
        sealed.key_version() == Some(self.current)
    }

    fn key(&self, version: u32) -> Option<&LessSafeKey> {
        self.keys.iter().find(|(known, _)| *known == version).map(|(_, key)| key)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({:?}, version {})", self.scope, self.current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use plimsoll_core::id::{TenantId, TypedId};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn tenant(n: u128) -> KeyScope {
        KeyScope::Tenant(TenantId::from_uuid(Uuid::from_u128(n)))
    }

    /// A sealer and one of another tenant with the very same key bytes.
    fn twins() -> (Sealer, Sealer) {
        let context = Context::system();
        let one = DataKey::generate(tenant(1), 1, &context);
        let other = DataKey { scope: tenant(2), version: 1, bytes: one.bytes.clone() };
        (Sealer::new([one], context.clone()).unwrap(), Sealer::new([other], context).unwrap())
    }

    #[test]
    fn a_value_opens_at_its_place_alone() {
        let (sealer, other_tenant) = twins();
        let place = Aad::new("integration.secret", "row-1/token", 3);
        let sealed = sealer.seal(&place, b"hunter2").unwrap();
        assert_eq!(sealer.open(&place, &sealed).unwrap().expose_secret(), b"hunter2");
        for moved in [
            Aad::new("integration.secrets", "row-1/token", 3),
            Aad::new("integration.secret", "row-2/token", 3),
            Aad::new("integration.secret", "row-1/token", 2),
            Aad::new("integration.secretr", "ow-1/token", 3),
        ] {
            assert!(sealer.open(&moved, &sealed).is_err(), "{moved}");
        }
        assert!(other_tenant.open(&place, &sealed).is_err());
        assert_ne!(sealer.seal(&place, b"hunter2").unwrap(), sealed, "each sealing has its own nonce");
    }

    #[test]
    fn data_keys_rotate_while_older_values_open() {
        let context = Context::system();
        let root = super::super::RootKey::generate(&context);
        let wrapped = root.wrap(&DataKey::generate(tenant(1), 1, &context), &context).unwrap();
        let first = || root.unwrap(tenant(1), 1, &wrapped).unwrap();
        let place = Aad::new("k", "r", 1);
        let old = Sealer::new([first()], context.clone()).unwrap().seal(&place, b"x").unwrap();

        let second = DataKey::generate(tenant(1), 2, &context);
        let sealer = Sealer::new([second, first()], context.clone()).unwrap();
        assert!(!sealer.is_current(&old));
        assert_eq!(sealer.open(&place, &old).unwrap().expose_secret(), b"x");
        let new = sealer.seal(&place, b"x").unwrap();
        assert!(sealer.is_current(&new));
        assert!(Sealer::new([first()], context.clone()).unwrap().open(&place, &new).is_err());
        assert!(Sealer::new([], context.clone()).is_err());
        assert!(Sealer::new([first(), DataKey::generate(tenant(2), 1, &context)], context).is_err());
    }

    proptest! {
        #[test]
        fn any_changed_byte_is_found(plain in proptest::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>(), flip in 1_u8..) {
            let (sealer, _) = twins();
            let place = Aad::new("k", "r", 1);
            let sealed = sealer.seal(&place, &plain).unwrap();
            let mut changed = sealed.as_bytes().to_vec();
            let at = at.index(changed.len());
            changed[at] ^= flip;
            prop_assert!(sealer.open(&place, &SealedBytes::from_bytes(changed)).is_err());
            let cut = SealedBytes::from_bytes(sealed.as_bytes()[..at].to_vec());
            prop_assert!(sealer.open(&place, &cut).is_err());
        }
    }
}
