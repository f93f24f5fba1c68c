//! Everything on the wire: requests, frames, and what server, agent and clients share of them.

pub mod agent;
pub mod component;
pub mod deployment;
pub mod envelope;
pub mod environment;
pub mod freeze_window;
pub mod identity;
pub mod integration;
pub mod inventory;
pub mod operation;
pub mod promotion;
pub mod release;
pub mod secret;
pub mod valid;
