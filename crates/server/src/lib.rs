//! The HTTP server: routes from the operation table, one mapping of errors to statuses, streams,
//! configuration and lifecycle. No SQL and no decisions here.

pub mod config;
mod data_directory;
mod health;
mod http;
mod lifecycle;
mod listener;
mod oauth;
mod state;

pub use http::openapi_document;
pub use lifecycle::{Running, open_store, start};
