//! One good body of every operation that takes one, and one existing resource of the nouns that can be
//! made with a single call.

use plimsoll_protocol::operation::OperationId as Op;
use serde_json::{Value, json};

use crate::world::World;

/// An id that names nothing.
pub const NOBODY: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

/// A body that the operation's schema accepts. `None`: it takes none.
pub fn body(id: Op) -> Option<Value> {
    Some(match id {
        Op::ComponentCreate | Op::ComponentUpdate => {
            json!({ "name": "api", "registryIntegrationId": NOBODY, "repository": "shop/api" })
        }
        Op::IntegrationCreate => {
            json!({ "name": "hub", "typeId": "oci_registry", "config": { "url": "http://127.0.0.1:1", "insecure": true } })
        }
        Op::IntegrationUpdate => json!({ "name": "hub", "config": { "url": "http://127.0.0.1:1", "insecure": true } }),
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
            json!({ "environmentId": NOBODY, "name": "web-1", "type": "docker_host", "connection": {} })
        }
        Op::AgentRegister => json!({
            "hostname": "h1", "version": "0.1.0", "protocolVersion": 1, "os": "linux", "arch": "amd64",
            "publicKeyPem": "-".repeat(100)
        }),
        Op::AgentUpdate => json!({ "name": "agent-1" }),
        Op::AgentHeartbeat => json!({
            "status": "online", "version": "0.1.0", "protocolVersion": 1,
            "resources": { "cpus": 1, "memoryBytes": 1, "memoryAvailableBytes": 1, "diskBytes": 1, "diskFreeBytes": 1, "loadMillis": 1 }
        }),
        Op::TenantCreate => json!({ "name": "acme" }),
        Op::UserCreate => json!({ "name": "grace" }),
        Op::UserUpdate => json!({ "name": "grace" }),
        Op::ClientCreate => json!({ "name": "ci" }),
        Op::ClientUpdate => json!({ "name": "ci", "ownerId": NOBODY }),
        Op::RoleCreate | Op::RoleUpdate => json!({ "name": "watcher", "permissions": ["release:read"] }),
        Op::RoleBindingCreate => json!({ "roleId": NOBODY, "principal": { "type": "user", "id": NOBODY } }),
        Op::RegistrationTokenCreate => json!({}),
        Op::StreamTicketCreate => json!({ "stream": format!("/api/v1/deployment-jobs/{NOBODY}/stream") }),
        Op::PromotionCreate | Op::PromotionPreviewGates => {
            json!({ "releaseId": NOBODY, "targetEnvironmentId": NOBODY })
        }
        Op::RollbackCreate => json!({ "environmentId": NOBODY, "reason": "it loses orders" }),
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

/// Makes one resource of the noun for the owner of `token`; answers its id. `None`: it needs others first.
pub async fn existing(world: &World, tag: &str, token: &str) -> Option<String> {
    let create = match tag {
        "integrations" => Op::IntegrationCreate,
        "environments" => Op::EnvironmentCreate,
        "releases" => Op::ReleaseCreate,
        "approval-policies" => Op::ApprovalPolicyCreate,
        _ => return None,
    };
    let made = world.call("POST", &create.operation().full_path(), Some(token), body(create).as_ref()).await;
    assert_eq!(made.status, 201, "{tag}: {made:?}");
    Some(made.id())
}

/// A component's body over a registry integration that exists.
pub async fn component(world: &World, name: &str) -> Value {
    let mut integration = body(Op::IntegrationCreate).unwrap();
    integration["name"] = json!(format!("hub-{name}"));
    let id = world.post("/api/v1/integrations", &integration).await.id();
    json!({ "name": name, "registryIntegrationId": id, "repository": "shop/api" })
}
