//! Evidence from outside: what is accepted, what is refused, and whether strangers' tools agree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy's allow-…-in-tests sees functions marked #[test], not their helpers"
)]

mod archive;
mod bad;
mod common;
mod docs;
mod interop;
mod keys;
mod packets;
mod sticker;
mod tamper;
mod vectors;
