//! The binary as people use it: real processes, their output and exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod completion;
mod demo;
mod docs;
mod estate;
mod failures;
mod kills;
mod offline;
mod partition;
mod proof;
mod refused_start;
mod served;
mod signed_in;
mod support;
mod system;
mod tls;
mod traces;
mod waiting;
mod waiting_rules;
mod whole;
