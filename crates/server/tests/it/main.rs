//! The HTTP API over a real server, on SQLite and on PostgreSQL: every test here runs on both.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod administration;
mod bad_input;
mod conventions;
mod document;
mod environment_reach;
mod estate;
mod evidence;
mod examples;
mod foreign;
mod forgotten;
mod hand;
mod oauth;
mod operator;
mod peer;
mod readiness;
mod repeats;
mod request_log;
mod restart;
mod revisions;
mod rows;
mod schemathesis;
mod streams;
mod table;
mod trail;
mod world;
mod wrong_fields;
