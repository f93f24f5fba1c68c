//! Who did something, as resources name them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    audit::{Principal, PrincipalType},
    id::UserId,
};

/// A principal at the time of an act. The name is a copy: a later change does not rewrite history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Actor {
    /// What kind of caller.
    #[serde(rename = "type")]
    pub kind: PrincipalType,
    /// The user, client or agent itself.
    #[schema(value_type = String, format = Uuid)]
    pub id: Uuid,
    /// The user: of a client, its service user.
    pub user_id: UserId,
    /// The name at that time.
    pub name: String,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        Self { kind: principal.kind, id: principal.id, user_id: principal.user, name: principal.name.clone() }
    }
}
