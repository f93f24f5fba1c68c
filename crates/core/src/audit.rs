//! Who did what: the audit trail's vocabulary.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    id::{AuditEventId, TenantId, UserId},
    permission::Grants,
};

/// What kind of caller a token speaks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalType {
    /// A person who signed in.
    User,
    /// A machine's OAuth client.
    Client,
    /// An agent.
    Agent,
    /// The server itself (a sweeper, a reconciler).
    System,
}

impl PrincipalType {
    /// As stored and sent.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::Agent => "agent",
            Self::System => "system",
        }
    }
}

/// Who calls, as their verified token says.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The tenant, from the token and from nowhere else.
    pub tenant: TenantId,
    /// What kind.
    pub kind: PrincipalType,
    /// The user, the client or the agent itself.
    pub id: Uuid,
    /// The contract's `user_id`: of a client, its service user; of an agent, its own id.
    pub user: UserId,
    /// For messages and the trail.
    pub name: String,
    /// Names of the roles held.
    pub roles: Vec<String>,
    /// What it may do.
    pub grants: Grants,
    /// The token's own id, for revocation.
    pub token_id: String,
}

impl Principal {
    /// On whose behalf it calls: a client on that of the user it stands for. People and agents call for themselves.
    #[must_use]
    pub const fn on_behalf_of(&self) -> Option<UserId> {
        match self.kind {
            PrincipalType::Client => Some(self.user),
            PrincipalType::User | PrincipalType::Agent | PrincipalType::System => None,
        }
    }
}

/// Where a call came from.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The request's id.
    pub request_id: String,
    /// The peer's address.
    pub address: Option<String>,
    /// The peer's program.
    pub user_agent: Option<String>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was done.
    Succeeded,
    /// It was refused, and nothing changed.
    Refused,
}

/// One line of the audit trail, as read at `GET /audit-events`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEvent {
    /// Its id.
    pub id: AuditEventId,
    /// When.
    pub at: Timestamp,
    /// What kind of caller.
    pub principal_type: PrincipalType,
    /// Which caller.
    #[schema(value_type = String, format = Uuid)]
    pub principal_id: Uuid,
    /// The caller's name at that time.
    pub principal_name: String,
    /// The user that a client stands for. Absent for whoever calls for themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<UserId>,
    /// The operation's id, such as `component_create`.
    pub action: String,
    /// The kind of resource.
    pub resource_type: String,
    /// The resource, when it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_id: Option<String>,
    /// Done or refused.
    pub outcome: AuditOutcome,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    /// The change as a JSON merge patch (RFC 7396), secrets redacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<serde_json::Value>,
    /// The request's id.
    pub request_id: String,
    /// The peer's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The peer's program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// SHA-256 of the event's canonical bytes, for the Merkle log.
    pub digest: crate::Digest,
}

/// The JSON merge patch (RFC 7396) that turns `before` into `after`.
#[must_use]
pub fn merge_patch(before: &serde_json::Value, after: &serde_json::Value) -> serde_json::Value {
    use serde_json::{Map, Value};
    let (Value::Object(old), Value::Object(new)) = (before, after) else { return after.clone() };
    let mut patch = Map::new();
    for (key, value) in new {
        match old.get(key) {
            Some(same) if same == value => {}
            Some(other) => {
                patch.insert(key.clone(), merge_patch(other, value));
            }
            None => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    for key in old.keys().filter(|key| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    Value::Object(patch)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_patch_names_only_what_changed() {
        let before = json!({"name": "api", "labels": {"team": "a", "tier": "1"}, "note": "x"});
        let after = json!({"name": "api", "labels": {"team": "b", "tier": "1"}, "port": 80});
        let patch = super::merge_patch(&before, &after);
        assert_eq!(patch, json!({"labels": {"team": "b"}, "note": null, "port": 80}));
    }
}
