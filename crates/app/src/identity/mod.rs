//! Who there is and what they may do: first start, the keys that sign tokens, what is revoked, and the
//! administration of tenants, users, clients, roles, bindings and registration tokens.

mod audit_event;
mod authority;
mod built_in;
mod client;
pub(crate) mod first_start;
mod host;
mod keys;
mod password;
pub(crate) mod registration_token;
pub(crate) mod renewal;
mod role;
mod role_binding;
mod start;
pub(crate) mod subject;
mod tenant;
pub(crate) mod user;

pub use authority::Authority;
pub(crate) use first_start::server_principal;
pub use host::{Account, HostAdministration};
pub use renewal::keep_current;
pub use start::{AuthoritySettings, FirstStart, Started, change_signing_keys, start};
