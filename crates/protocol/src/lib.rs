//! Everything on the wire: requests, frames, and what server, agent and clients share of them.

pub mod agent;
pub mod envelope;
pub mod operation;
