//! The storage, on both databases: every test here runs on SQLite and on PostgreSQL.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod both;
mod order;
mod races;
mod seam;
mod upgrade;
mod work;
