//! The operation table: the single source of routes. Router, OpenAPI document, permission check, audit,
//! idempotency, rate class and the tests of all of these come from it.

mod errors;
pub mod example;
mod noun;
mod table;

use plimsoll_core::permission::Permission;

pub use noun::Subject;
pub use table::{OPERATIONS, OperationId};

/// The part of every path before the operation's own.
pub const BASE: &str = "/api/v1";

/// How an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes, or acts.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
    /// Opens a stream.
    WebSocket,
}

impl Method {
    /// As in `contract/endpoints.txt`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::WebSocket => "WS",
        }
    }
}

/// What an operation does to the audit trail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Changes nothing.
    Read,
    /// Changes something: writes one audit event, refused attempts too.
    Mutation,
    /// An agent's telemetry: in the request log; only changes of status are audited.
    Telemetry,
}

/// How a POST's Idempotency-Key is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Not a POST.
    None,
    /// The key is inserted in the operation's one transaction.
    InTransaction,
    /// The operation calls outside: the key is reserved first, under a lease.
    Reserved,
}

/// Which bucket a call is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateClass {
    /// The principal's.
    Standard,
    /// Costly reads have one of their own.
    Costly,
    /// Agents' heartbeats and streams.
    Agent,
}

/// Whether an operation stands in the contract, or is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `contract/endpoints.txt`.
    Contract,
    /// `contract/additions.txt`, with its reason.
    Addition,
}

/// Whether an operation is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// Routed and in the OpenAPI document.
    Built,
    /// Not yet: neither routed nor in the document. This list may only shrink.
    NotYet,
}

/// One operation.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Names handler, use case, OpenAPI operationId, audit action and span.
    pub id: OperationId,
    /// How.
    pub method: Method,
    /// The path below [`BASE`], with `{parameters}`.
    pub path: &'static str,
    /// The one permission it needs.
    pub permission: Permission,
    /// What it does to the audit trail.
    pub effect: Effect,
    /// How its Idempotency-Key is kept.
    pub idempotency: Idempotency,
    /// Which bucket.
    pub rate: RateClass,
    /// Whose.
    pub origin: Origin,
    /// Whether it is offered.
    pub availability: Availability,
}

impl Operation {
    /// The whole path.
    #[must_use]
    pub fn full_path(&self) -> String {
        format!("{BASE}{}", self.path)
    }

    /// The names of its path parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    }

    /// The noun its path begins with, such as `components`: the tag in the OpenAPI document.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        self.path.trim_start_matches('/').split('/').next().unwrap_or_default()
    }
}

/// The operations that are offered.
pub fn built() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().filter(|one| one.availability == Availability::Built)
}
