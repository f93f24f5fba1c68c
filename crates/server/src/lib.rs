//! The HTTP server: routes from the operation table, one mapping of errors to statuses, streams,
//! configuration and lifecycle. No SQL and no decisions here.

mod certificate;
pub mod config;
mod data_directory;
mod disk;
mod health;
mod http;
mod lifecycle;
mod listener;
mod metrics;
mod oauth;
mod operator;
mod rate_exchange;
mod state;

pub use http::openapi_document;
pub use lifecycle::{Running, open_store, start};
