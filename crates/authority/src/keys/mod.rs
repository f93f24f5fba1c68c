//! The keys that sign access tokens, and the public ones with which anybody checks them.

mod jwk;
mod public;
pub mod rotation;
mod set;
mod signing;

pub use jwk::{Jwk, Jwks};
pub use public::{KeyAlgorithm, PublicKey};
pub use set::SigningKeySet;
pub use signing::SigningKey;
