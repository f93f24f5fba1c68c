//! A target's connection, checked by the JSON Schema of its type.

use plimsoll_core::{Error, Result, inventory::TargetType};
use plimsoll_protocol::{
    agent::host::{Connection, DockerConnection, ProcessConnection},
    inventory::TargetBody,
};
use serde_json::Value;
use utoipa::PartialSchema;

use crate::json_schema::{JsonSchema, add_new};

/// Refuses a body whose connection does not fit its type; every wrong field is named.
pub(super) fn check(body: &TargetBody) -> Result<()> {
    let mut wrong = body.wrong();
    add_new(
        &mut wrong,
        JsonSchema::compile(body.kind.as_str(), &schema(body.kind)?)?.check(&body.connection, "connection"),
    );
    if !wrong.is_empty() {
        return Err(Error::invalid(wrong));
    }
    Connection::parse(body.kind, &body.connection).map(drop)
}

/// The JSON Schema of a type's connection.
fn schema(kind: TargetType) -> Result<Value> {
    let schema = match kind {
        TargetType::DockerHost => DockerConnection::schema(),
        TargetType::ProcessHost => ProcessConnection::schema(),
    };
    serde_json::to_value(schema)
        .map_err(|cause| Error::internal_defect(format!("the schema of a connection is not JSON: {cause}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wrong(kind: &str, connection: Value) -> Vec<(String, String)> {
        let body = json!({
            "environmentId": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "web-1", "type": kind, "connection": connection
        });
        let Err(error) = check(&serde_json::from_value(body).unwrap()) else { return Vec::new() };
        let mut found: Vec<_> = error.validation().iter().map(|one| (one.field.clone(), one.message.clone())).collect();
        found.sort();
        found
    }

    #[test]
    fn every_wrong_field_is_named_for_people() {
        let told = |field: &str, message: &str| (field.to_owned(), message.to_owned());
        let unknown = "this field is not known; check its spelling";
        assert_eq!(
            wrong("docker_host", json!({ "socket": 1, "x": 2 })),
            [told("connection.socket", "must be a string"), told("connection.x", unknown)]
        );
        assert_eq!(wrong("docker_host", json!([])), [told("connection", "must be an object")]);
        assert_eq!(wrong("docker_host", json!({ "uid": 1000 })), [told("connection.uid", unknown)]);
        assert_eq!(
            wrong("process_host", json!({ "uid": 0, "gid": -1, "deploymentDirectory": "here" })),
            [
                told("connection.deploymentDirectory", "must be an absolute path of at most 1024 bytes"),
                told("connection.gid", "must be at least 0"),
                told("connection.uid", "processes never run as root; give another number than 0"),
            ]
        );
        assert_eq!(wrong("process_host", json!({ "uid": 1000 })), []);
        assert_eq!(wrong("docker_host", json!({ "socket": "/run/podman.sock" })), []);
    }
}
