//! ECDSA P-256 keys.

mod pem;
mod public;
mod signing;

pub use public::PublicKey;
pub use signing::SigningKey;
