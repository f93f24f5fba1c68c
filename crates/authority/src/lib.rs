//! Who calls, for which tenant, with which permission: tokens, keys, passwords and the OAuth grants.
//!
//! Everything here is a function of values: rows, keys, the time and randomness are handed in. The one
//! exception is the root key's file ([`seal::root_file`]). What must be remembered is returned as a
//! value for the caller to store.

pub mod keys;
pub mod oauth;
pub mod password;
pub mod seal;
pub mod secret;
pub mod token;
