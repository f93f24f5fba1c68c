//! The agent against simulated and real hosts.
#![allow(missing_docs, reason = "tests say what they are by their names")]

mod kills;
mod machine;
mod sim;
mod support;
