//! The storage, on both databases: every test here runs on SQLite and on PostgreSQL.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod both;
mod broken;
mod filters;
mod indexes;
mod order;
mod races;
mod retention;
mod seam;
mod totals;
mod upgrade;
mod work;
