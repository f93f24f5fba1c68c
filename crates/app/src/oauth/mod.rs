//! The OAuth endpoints' use cases: who the client is, what it gets.

mod client;
mod token;

use plimsoll_authority::oauth::Form;
use plimsoll_core::audit::Origin;

/// A request to an OAuth endpoint.
#[derive(Debug)]
pub struct OAuthRequest {
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body.
    pub form: Form,
    /// From where.
    pub origin: Origin,
}
