//! One good body of every operation that takes one.

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

/// A component's body over a registry integration that exists.
pub async fn component(world: &World, name: &str) -> Value {
    let mut integration = body(Op::IntegrationCreate).unwrap();
    integration["name"] = json!(format!("hub-{name}"));
    let id = world.post("/api/v1/integrations", &integration).await.id();
    json!({ "name": name, "registryIntegrationId": id, "repository": "shop/api" })
}
