//! One good body of every operation that takes one, and one existing resource of the nouns that can be
//! made with a single call.

use plimsoll_protocol::operation::OperationId as Op;
use serde_json::{Value, json};

use crate::world::World;

/// An id that names nothing.
pub const NOBODY: &str = plimsoll_protocol::operation::example::ID;

/// A body that the operation's schema accepts. `None`: it takes none. Nothing outside this host is called.
pub fn body(id: Op) -> Option<Value> {
    let mut body = plimsoll_protocol::operation::example::body(id)?;
    if body["config"]["url"].is_string() {
        body["config"] = json!({ "url": "http://127.0.0.1:1", "insecure": true });
    }
    Some(body)
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
