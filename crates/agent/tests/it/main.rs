//! The agent against simulated and real hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod container_kills;
mod containers;
mod kills;
mod machine;
mod process;
mod server;
mod session;
mod sim;
mod site;
mod support;
