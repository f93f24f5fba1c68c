//! Secrets at rest: AES-256-GCM under a data key per tenant, each wrapped by the installation's root key.
//!
//! What is sealed is bound to its place (tenant, kind, row, version), so that ciphertext moved to another
//! row or brought back from the past doesn't open. Both kinds of key rotate online: a new data key seals
//! from then on while older ones still open, and a new root key only wraps the data keys again.

mod aead;
mod data_key;
mod place;
mod root;
pub mod root_file;
mod sealer;

pub use data_key::{DataKey, WrappedDataKey};
pub use place::{Aad, KeyScope};
pub use root::{KeyCheckValue, RootKey};
pub use sealer::{SealedBytes, Sealer};
