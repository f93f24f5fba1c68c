//! The session with the server: enrolment, tokens, heartbeats, the task stream. All of it goes outwards.

pub mod api;
pub mod connect;
pub mod enrol;
pub mod heartbeat;
pub mod identity;
pub mod link;
pub mod outbox;
mod proxy;
pub mod shared;
pub mod stream;
pub mod tls;
pub mod token;

pub use enrol::enrol;
