//! The registry client against real registries, and against servers that misbehave on purpose.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests fail by panicking")]

mod bearer;
mod fake;
mod faults;
mod images;
mod lists;
mod ping;
mod real;
mod redirects;
mod registry;
mod ssrf;
mod support;
mod tls;
