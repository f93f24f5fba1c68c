//! Data keys: one per tenant and version, stored wrapped by the root key.

use std::fmt;

use plimsoll_core::context::Context;

use super::{KeyScope, aead::KEY_BYTES};
use crate::secret::SecretBytes;

/// A data key in memory.
pub struct DataKey {
    pub(super) scope: KeyScope,
    pub(super) version: u32,
    pub(super) bytes: SecretBytes,
}

/// A data key as it is stored. Only the root key that wrapped it opens it, at its own place.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedDataKey(Vec<u8>);

impl DataKey {
    /// A fresh key; versions count from 1.
    #[must_use]
    pub fn generate(scope: KeyScope, version: u32, context: &Context) -> Self {
        Self { scope, version, bytes: SecretBytes::from(context.random::<KEY_BYTES>().to_vec()) }
    }

    /// Whose it is.
    #[must_use]
    pub const fn scope(&self) -> KeyScope {
        self.scope
    }

    /// Which of its scope's keys it is.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({:?}, version {})", self.scope, self.version)
    }
}

impl WrappedDataKey {
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
}

impl fmt::Debug for WrappedDataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedDataKey({} bytes)", self.0.len())
    }
}
