//! Storage: one set of repositories over SQLite and PostgreSQL.
//!
//! A transaction is a synchronous closure, [`Store::write`] or [`Store::read`], run on the database's own
//! threads, so no await and no outside call can hide inside one. A write closure may run more than once:
//! ids, time and randomness are made before it. It begins by locking the aggregate it decides about
//! ([`Tx::lock`]), then reads, then writes. The `scope` carries the tenant; there is no query without one.
//!
//! A resource is kept as one row: declared columns that SQL filters, sorts and guards by, and a JSON
//! `body` that SQL does not look into (see [`resource`]).

pub mod agent;
pub mod approval_policy;
pub mod artifact;
pub mod audit;
pub mod census;
pub mod component;
pub mod component_sync;
pub mod component_version;
pub mod deployment;
pub mod environment;
pub mod event;
pub mod evidence_key;
pub mod evidence_packet;
pub mod freeze_window;
pub mod idempotency;
pub mod identity;
pub mod integration;
pub mod migrate;
pub mod observation;
pub mod promotion;
pub mod rate;
pub mod release;
pub mod resource;
pub mod retention;
pub mod rollback;
pub mod sealing_key;
mod seam;
pub mod target;
pub mod version_sticker;
pub mod work;

pub use seam::{
    Store, StoreConfig,
    lock::Lock,
    row::{Row, RowReader},
    scope::{Scope, SystemReason},
    tx::{Dialect, Tx},
    value::{IntoValue, Value},
    wake::{POLL, Waiter, Wake},
};
