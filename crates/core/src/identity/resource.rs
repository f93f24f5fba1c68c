//! Tenants, users, clients, roles, bindings and registration tokens, as the API shows them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    id::{AgentId, ClientId, EnvironmentId, RegistrationTokenId, RoleBindingId, RoleId, TenantId, TypedId, UserId},
    label::Labels,
    permission::Permission,
    rate::Tier,
    words::words,
};

/// The wall between customers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// A slug, unique on this server.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How much its principals may call.
    pub tier: Tier,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Somebody who signs in, or the service user of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// With which they sign in; unique in the tenant.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where to write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A deactivated user can do nothing.
    pub active: bool,
    /// The client whose service user this is; such a user cannot sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_of: Option<ClientId>,
    /// Whether the next sign-in asks for a new password.
    pub must_change_password: bool,
    /// The last sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sign_in_at: Option<Timestamp>,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A machine's OAuth client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Client {
    /// Its id, the OAuth `client_id`.
    pub id: ClientId,
    /// A slug, unique in the tenant.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The person who answers for it; a maker of all that it makes.
    pub owner_id: UserId,
    /// The user that its tokens speak for.
    pub service_user_id: UserId,
    /// How it proves who it is.
    pub authentication: ClientAuthentication,
    /// A deactivated client gets no tokens.
    pub active: bool,
    /// When it last got a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuthentication {
    /// With a secret.
    #[default]
    ClientSecret,
    /// With a JWT that it signs (RFC 7523).
    PrivateKeyJwt,
    /// Not at all: a public client, such as the command line, for the device flow.
    None,
}

words!(ClientAuthentication, "client authentication", {
    ClientSecret = "client_secret",
    PrivateKeyJwt = "private_key_jwt",
    None = "none",
});

/// A named set of permissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// Its id.
    pub id: RoleId,
    /// Unique in the tenant.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its holders may do.
    pub permissions: Vec<Permission>,
    /// Whether it came with the product; such a role cannot be edited.
    pub built_in: bool,
    /// Rises with every change.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// A role given to somebody, everywhere or in one environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RoleBinding {
    /// Its id.
    pub id: RoleBindingId,
    /// Which role.
    pub role_id: RoleId,
    /// The role's name.
    pub role: String,
    /// Who holds it.
    pub principal: PrincipalRef,
    /// Where; everywhere in the tenant when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<EnvironmentId>,
    /// Who gave it.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Rises with every change.
    pub revision: i64,
    /// When it was taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted_at: Option<Timestamp>,
}

/// Somebody who can hold roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PrincipalRef {
    /// What kind.
    #[serde(rename = "type")]
    pub kind: RoleHolder,
    /// The user's or client's id.
    #[schema(value_type = String, format = Uuid)]
    pub id: Uuid,
}

impl From<UserId> for PrincipalRef {
    fn from(id: UserId) -> Self {
        Self { kind: RoleHolder::User, id: id.uuid() }
    }
}

impl From<ClientId> for PrincipalRef {
    fn from(id: ClientId) -> Self {
        Self { kind: RoleHolder::Client, id: id.uuid() }
    }
}

/// What kind of principal holds a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoleHolder {
    /// A user.
    User,
    /// A client.
    Client,
}

words!(RoleHolder, "kind of principal", {
    User = "user",
    Client = "client",
});

/// A one-time token with which an agent enrols. The token itself is shown once, when it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RegistrationToken {
    /// Its id.
    pub id: RegistrationTokenId,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels that the agent gets.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Until when it can be used.
    pub expires_at: Timestamp,
    /// When it was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_at: Option<Timestamp>,
    /// The agent that used it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// When it was revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
    /// Who made it.
    pub created_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
}
