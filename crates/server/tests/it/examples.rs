//! One good body of every operation that takes one, and one existing resource of every noun.

use plimsoll_protocol::operation::OperationId;
use serde_json::{Value, json};

use crate::world::World;

/// A body that the operation's schema accepts. `None`: it takes none.
pub fn body(id: OperationId) -> Option<Value> {
    match id {
        OperationId::ComponentCreate | OperationId::ComponentUpdate => Some(json!({
            "name": "api", "registryIntegrationId": "01890a5d-ac96-774b-bcce-b302099a8057", "repository": "shop/api"
        })),
        _ => None,
    }
}

/// Makes one resource of the noun for the owner of `token`; answers its id.
pub async fn existing(world: &World, tag: &str, token: &str) -> Option<String> {
    let (path, body) = match tag {
        "components" => ("/api/v1/components", body(OperationId::ComponentCreate)?),
        _ => return None,
    };
    let made = world.call("POST", path, Some(token), Some(&body)).await;
    assert_eq!(made.status, 201, "{tag}: {made:?}");
    Some(made.id())
}
