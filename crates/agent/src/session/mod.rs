//! The session with the server.

pub mod outbox;
