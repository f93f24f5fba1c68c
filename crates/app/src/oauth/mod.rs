//! The OAuth endpoints' use cases: who the client is, what it gets, how people sign in.

mod assertion;
mod client;
mod decision;
mod device;
mod query;
mod refresh;
mod refused;
mod sign_in;
mod ticket;
mod token;

use plimsoll_authority::oauth::Form;
use plimsoll_core::audit::Origin;

pub use decision::{Decision, DeviceRequest};
pub(crate) use sign_in::account_subject;
pub use sign_in::{SignIn, SignedIn};

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
