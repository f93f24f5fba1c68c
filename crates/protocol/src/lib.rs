//! Everything on the wire: requests, frames, and what server, agent and clients share of them.

pub mod agent;
pub mod component;
pub mod envelope;
pub mod identity;
pub mod integration;
pub mod operation;
pub mod release;
pub mod secret;
pub mod valid;
