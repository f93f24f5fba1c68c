//! Clients as rows.

use plimsoll_core::{Timestamp, id::ClientId, identity::Client};

use crate::{
    IntoValue, Value,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for Client {
    type Id = ClientId;
    const TABLE: Table = Table {
        name: "client",
        noun: "client",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "ownerId", column: "owner_id", kind: FieldKind::Id, sortable: false },
            Field {
                api: "authentication",
                column: "authentication",
                kind: FieldKind::Enum(&["client_secret", "private_key_jwt", "none"]),
                sortable: true,
            },
            Field { api: "active", column: "active", kind: FieldKind::Bool, sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], ""), Indexed::new(&["ownerId"], "")],
    };
    fn id(&self) -> ClientId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.name.as_str().into_value(),
            self.owner_id.into_value(),
            self.authentication.as_str().into_value(),
            self.active.into_value(),
            self.updated_at.into_value(),
        ]
    }
}
