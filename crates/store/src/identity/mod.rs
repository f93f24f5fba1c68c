//! Who there is and what they may do: tenants, users, clients, roles, agents' keys, and what voids tokens.

pub mod access;
pub mod agent;
pub mod browser;
mod client;
pub mod client_hand;
pub mod credential;
pub mod device;
pub mod installation;
pub mod nonce;
mod registration_token;
pub mod revocation;
mod role;
mod role_binding;
pub mod session;
mod tenant;
mod user;

pub use registration_token::{revoke_registration_token, use_registration_token, waiting_registration_tokens};
pub use role_binding::{administrators, holders_of};
pub use tenant::{tenant_by_name, tenants, tiers};
