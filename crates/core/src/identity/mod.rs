//! Who there is: tenants, users, clients, roles, and the tokens with which agents enrol.

pub mod grants;
pub mod names;
pub mod resource;

pub use grants::{Standing, effective_grants, grants_of, may_act_as, may_edit_role, may_grant, may_make_role};
pub use resource::{
    Client, ClientAuthentication, PrincipalRef, RegistrationToken, Role, RoleBinding, RoleHolder, Tenant, User,
};
