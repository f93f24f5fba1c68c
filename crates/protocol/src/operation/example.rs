//! One good body of each operation that takes one: the OpenAPI document shows them and the tests send them.

use serde_json::{Value, json};

use super::OperationId as Op;

/// The id in examples; it names nothing.
pub const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A body that the operation's schema accepts. `None`: it takes none.
#[must_use]
#[allow(clippy::too_many_lines, reason = "one entry for each operation")]
pub fn body(id: Op) -> Option<Value> {
    Some(match id {
        Op::ComponentCreate | Op::ComponentUpdate => {
            json!({ "name": "api", "registryIntegrationId": ID, "repository": "shop/api" })
        }
        Op::IntegrationCreate => {
            json!({ "name": "hub", "typeId": "oci_registry", "config": { "url": "https://registry.example.com" } })
        }
        Op::IntegrationUpdate => json!({ "name": "hub", "config": { "url": "https://registry.example.com" } }),
        Op::IntegrationDiscover => json!({ "kind": "repository" }),
        Op::ReleaseCreate => json!({ "name": "shop", "version": "1.0.0" }),
        Op::ReleaseUpdate => json!({ "notes": "what is new" }),
        Op::ReleaseDeprecate => json!({ "reason": "loses orders" }),
        Op::ReleaseFromLatest => json!({ "name": "shop", "version": "1.0.0", "components": { "nobody": "*" } }),
        Op::EnvironmentCreate | Op::EnvironmentUpdate => json!({ "name": "dev" }),
        Op::FreezeWindowCreate => json!({
            "name": "night", "reason": "sleep", "startsAt": "2030-01-01T00:00:00Z", "endsAt": "2030-01-02T00:00:00Z"
        }),
        Op::TargetCreate | Op::TargetUpdate => {
            json!({ "environmentId": ID, "name": "web-1", "type": "docker_host", "connection": {} })
        }
        Op::AgentRegister => json!({
            "hostname": "h1", "version": "0.1.0", "protocolVersion": 1, "os": "linux", "arch": "amd64",
            "publicKeyPem": "-".repeat(100)
        }),
        Op::AgentUpdate => json!({ "name": "agent-1" }),
        Op::AgentUnlock => json!({ "keep": "ahead" }),
        Op::AgentHeartbeat => json!({
            "status": "online", "version": "0.1.0", "protocolVersion": 1,
            "resources": { "cpus": 1, "memoryBytes": 1, "memoryAvailableBytes": 1, "diskBytes": 1, "diskFreeBytes": 1, "loadMillis": 1 }
        }),
        Op::TenantCreate => json!({ "name": "acme" }),
        Op::UserCreate => json!({ "name": "grace" }),
        Op::UserUpdate => json!({ "name": "grace" }),
        Op::ClientCreate => json!({ "name": "ci" }),
        Op::ClientUpdate => json!({ "name": "ci", "ownerId": ID }),
        Op::RoleCreate | Op::RoleUpdate => json!({ "name": "watcher", "permissions": ["release:read"] }),
        Op::RoleBindingCreate => json!({ "roleId": ID, "principal": { "type": "user", "id": ID } }),
        Op::RegistrationTokenCreate => json!({}),
        Op::StreamTicketCreate => json!({ "stream": format!("/api/v1/deployment-jobs/{ID}/stream") }),
        Op::PromotionCreate | Op::PromotionPreviewGates => {
            json!({ "releaseId": ID, "targetEnvironmentId": ID })
        }
        Op::RollbackCreate => json!({ "environmentId": ID, "reason": "it loses orders" }),
        Op::PromotionApprove => json!({ "subjectHash": format!("sha256:{}", "0".repeat(64)) }),
        Op::PromotionReject => json!({ "comment": "not today" }),
        Op::PromotionResume => json!({ "reason": "it was looked at" }),
        Op::PromotionCancel | Op::DeploymentJobCancel => json!({ "rollback": false }),
        Op::ApprovalPolicyCreate | Op::ApprovalPolicyUpdate => json!({
            "name": "two-people",
            "rules": [{ "name": "leads", "minApprovals": 2, "approvers": { "roles": ["approver"] } }]
        }),
        _ => return None,
    })
}
