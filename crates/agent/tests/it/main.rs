//! The agent against simulated and real hosts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod kills;
mod machine;
mod sim;
mod support;
