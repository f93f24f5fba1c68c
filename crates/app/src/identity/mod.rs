//! Who there is and what they may do: first start, the keys that sign tokens, what is revoked, and the
//! administration of tenants, users, clients, roles, bindings and registration tokens.

mod authority;
mod built_in;
mod first_start;
mod keys;
mod renewal;
mod start;
pub(crate) mod subject;

pub use authority::Authority;
pub use renewal::keep_current;
pub use start::{AuthoritySettings, FirstStart, Started, start};
