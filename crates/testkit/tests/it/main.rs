//! The parts that tests are built from, themselves tested.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod engines;
mod postgres;
mod processes;
mod registry;
