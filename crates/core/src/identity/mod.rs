//! Who there is: tenants, users, clients, roles, and the tokens with which agents enrol.

pub mod names;
pub mod password;
pub mod resource;

pub use resource::{
    Client, ClientAuthentication, PrincipalRef, RegistrationToken, Role, RoleBinding, RoleHolder, Tenant, User,
};
