//! The HTTP server: routes from the operation table, one mapping of errors to statuses, streams,
//! configuration and lifecycle. No SQL and no decisions here.

mod health;
mod http;
mod state;
