//! The domain of Plimsoll without I/O.
//!
//! One folder a noun. Types here are the vocabulary of the whole product: the same structs are stored,
//! served and printed. State machines are pure functions of (state, command); time, randomness and
//! identifiers are passed in (see [`context`]).

pub mod actor;
pub mod audit;
pub mod canonical;
pub mod component;
pub mod context;
pub mod deployment;
pub mod digest;
pub mod environment;
pub mod error;
pub mod evidence_packet;
pub mod id;
pub mod identity;
pub mod in_use;
pub mod integration;
pub mod inventory;
pub mod json;
pub mod label;
pub mod name;
pub mod permission;
pub mod promotion;
pub mod rate;
pub mod release;
pub mod rules;
pub mod time;
mod words;
pub mod zone;

pub use digest::Digest;
pub use error::{Error, ErrorCode, Result, ValidationError};
pub use time::Timestamp;
