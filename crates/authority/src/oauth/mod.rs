//! The OAuth 2.0 grants that we offer, without HTTP and SQL: what a request says, what is decided, and
//! what the answer looks like in OAuth's own formats.

mod assertion;
mod client_auth;
pub mod device;
mod error;
mod form;
pub mod join;
pub mod metadata;
pub mod refresh;
mod refresh_token;
mod request;
mod response;
mod scope;
mod user_code;

pub use assertion::{AssertionRules, ClientAssertion, MAX_ASSERTION_SECONDS, VerifiedAssertion};
pub use client_auth::{PresentedClient, SecretMethod};
pub use error::{OAuthError, OAuthErrorCode};
pub use form::{Form, MAX_FORM_BYTES};
pub use request::{DeviceAuthorizationRequest, GrantType, TokenQuery, TokenRequest};
pub use response::{DeviceAuthorizationResponse, IntrospectionResponse, TokenResponse};
pub use scope::narrow;
