//! Bodies of requests about tenants, users, clients, roles, bindings and registration tokens, and the
//! answers that show a secret once.

use garde::Validate;
use plimsoll_core::{
    Timestamp,
    id::{EnvironmentId, RoleId, UserId},
    identity::{Client, ClientAuthentication, PrincipalRef, RegistrationToken, Tenant, User},
    label::Labels,
    permission::Permission,
    rate::Tier,
    rules,
};
use serde::{Deserialize, Serialize};

use crate::secret::SecretText;

/// Makes a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateTenant {
    /// A slug, unique on this server.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// For people.
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// How much its principals may call; `standard` when absent.
    #[garde(skip)]
    #[serde(default = "standard")]
    pub tier: Tier,
    /// The tenant's first administrator.
    #[garde(dive)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<CreateUser>,
}

/// A tenant, and the administrator that was made for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedTenant {
    /// The tenant.
    #[serde(flatten)]
    pub tenant: Tenant,
    /// Its first administrator, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub administrator: Option<CreatedUser>,
}

/// Makes a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateUser {
    /// With which they sign in; unique in the tenant.
    #[garde(custom(user_name))]
    pub name: String,
    /// For people.
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where to write to.
    #[garde(custom(check_email))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The password. When absent one is made, shown once in the answer, and good for one sign-in, in which it is changed.
    #[garde(inner(custom(check_password)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// A deactivated user can do nothing; active when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub active: bool,
}

/// Replaces all writable fields of a user. The password stays unless sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateUser {
    /// With which they sign in; unique in the tenant.
    #[garde(custom(user_name))]
    pub name: String,
    /// For people.
    #[garde(length(min = 1, max = rules::DISPLAY_NAME), inner(custom(rules::plain)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Where to write to.
    #[garde(custom(check_email))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A new password.
    #[garde(inner(custom(check_password)))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// A deactivated user can do nothing; active when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub active: bool,
}

/// A user, and the password that was made for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedUser {
    /// The user.
    #[serde(flatten)]
    pub user: User,
    /// The password, when none was given. Shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_password: Option<SecretText>,
}

/// Makes a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateClient {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// What it is for.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The person who answers for it; the caller when absent.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<UserId>,
    /// How it proves who it is; with a secret when absent.
    #[garde(skip)]
    #[serde(default)]
    pub authentication: ClientAuthentication,
    /// For `private_key_jwt`: its public key as a JWK.
    #[garde(custom(check_key(self.authentication)))]
    #[schema(value_type = Option<Object>)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key: Option<serde_json::Value>,
    /// A deactivated client gets no tokens; active when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub active: bool,
}

/// Replaces all writable fields of a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpdateClient {
    /// A slug, unique in the tenant.
    #[garde(custom(rules::slug))]
    pub name: String,
    /// What it is for.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The person who answers for it.
    #[garde(skip)]
    pub owner_id: UserId,
    /// Whether to make a new secret, shown once in the answer; the old one ends at once.
    #[garde(skip)]
    #[serde(default)]
    pub rotate_secret: bool,
    /// A deactivated client gets no tokens; active when absent.
    #[garde(skip)]
    #[serde(default = "yes")]
    pub active: bool,
}

/// A client, and the secret that was made for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedClient {
    /// The client.
    #[serde(flatten)]
    pub client: Client,
    /// The secret, for `client_secret`. Shown this once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<SecretText>,
}

/// Makes a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRole {
    /// Unique in the tenant.
    #[garde(custom(plimsoll_core::identity::names::role))]
    pub name: String,
    /// What it is for.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What its holders may do. Nobody grants what they don't hold.
    #[garde(length(min = 1, max = 200))]
    pub permissions: Vec<Permission>,
}

/// The client of the command line: public, the same on every server, for the device flow alone.
pub const CLI_CLIENT: &str = "plimsoll-cli";

/// Replaces all writable fields of a role.
pub type UpdateRole = CreateRole;

/// Gives a role to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRoleBinding {
    /// Which role.
    #[garde(skip)]
    pub role_id: RoleId,
    /// Who gets it.
    #[garde(skip)]
    pub principal: PrincipalRef,
    /// Where; everywhere in the tenant when absent.
    #[garde(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<EnvironmentId>,
    /// Why; required in an environment, and everywhere if the role lets people approve, override or change rules.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Makes a one-time token with which an agent enrols.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRegistrationToken {
    /// What it is for.
    #[garde(length(min = 1, max = rules::DESCRIPTION), custom(rules::prose))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels that the agent gets.
    #[garde(custom(rules::labels))]
    #[serde(default)]
    pub labels: Labels,
    /// How long it can be used, an hour when absent.
    #[garde(range(min = 60, max = 604_800))]
    #[serde(default = "hour")]
    pub expires_in_seconds: u32,
}

/// A registration token's record, and the token itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedRegistrationToken {
    /// The record.
    #[serde(flatten)]
    pub registration_token: RegistrationToken,
    /// The token. Shown this once.
    pub token: SecretText,
}

/// Asks for a ticket with which a browser opens one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateStreamTicket {
    /// The stream's path, such as `/api/v1/deployment-jobs/<id>/stream`.
    #[garde(length(min = 1, max = rules::URL))]
    pub stream: String,
}

/// A ticket for one stream, good once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StreamTicket {
    /// To be sent as `?ticket=`. Shown this once.
    pub ticket: SecretText,
    /// Until when the stream can be opened with it.
    pub expires_at: Timestamp,
}

const fn yes() -> bool {
    true
}

const fn standard() -> Tier {
    Tier::Standard
}

const fn hour() -> u32 {
    3_600
}

fn user_name(name: &String, context: &()) -> garde::Result {
    plimsoll_core::identity::names::user(name, context)
}

fn check_email(address: &Option<String>, _: &()) -> garde::Result {
    plimsoll_core::identity::names::email(address.as_deref())
}

/// The length alone; what is too common the Authority knows.
fn check_password(text: &SecretText, _: &()) -> garde::Result {
    let good = text.expose().chars().count() >= 12 && text.expose().len() <= 1024;
    rules::ensure(
        good,
        "must have at least 12 characters and at most 1024 bytes; a few words in a row are easy to keep in mind",
    )
}

fn check_key(authentication: ClientAuthentication) -> impl FnOnce(&Option<serde_json::Value>, &()) -> garde::Result {
    move |key, ()| match (authentication, key) {
        (ClientAuthentication::PrivateKeyJwt, Some(key)) => rules::ensure(key.is_object(), "must be a JWK object"),
        (ClientAuthentication::PrivateKeyJwt, None) => {
            Err(garde::Error::new("is required for private_key_jwt: give the public key as a JWK"))
        }
        (ClientAuthentication::ClientSecret | ClientAuthentication::None, Some(_)) => {
            Err(garde::Error::new("is used by private_key_jwt alone"))
        }
        (ClientAuthentication::ClientSecret | ClientAuthentication::None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_are_checked_and_never_print() {
        let user = |password: &str| {
            serde_json::from_value::<CreateUser>(json!({"name": "ada", "password": password})).unwrap()
        };
        assert!(user("short").validate().is_err());
        assert!(user(&"long ".repeat(300)).validate().is_err());
        let good = user("a quiet mill by the river");
        assert!(good.validate().is_ok());
        assert!(!format!("{good:?}").contains("quiet"));
    }

    #[test]
    fn a_key_goes_with_its_authentication() {
        let client = |authentication: &str, key: serde_json::Value| {
            let mut body = json!({"name": "ci", "authentication": authentication});
            if !key.is_null() {
                body["publicKey"] = key;
            }
            serde_json::from_value::<CreateClient>(body).unwrap().validate().is_ok()
        };
        assert!(client("client_secret", json!(null)));
        assert!(!client("client_secret", json!({"kty": "EC"})));
        assert!(client("private_key_jwt", json!({"kty": "EC"})));
        assert!(!client("private_key_jwt", json!(null)));
        assert!(!client("private_key_jwt", json!("key")));
    }
}
