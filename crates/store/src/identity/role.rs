//! Roles as rows.

use plimsoll_core::{Timestamp, id::RoleId, identity::Role};

use crate::{
    IntoValue, Value,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for Role {
    type Id = RoleId;
    const TABLE: Table = Table {
        name: "role",
        noun: "role",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "builtIn", column: "built_in", kind: FieldKind::Bool, sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], "")],
    };
    fn id(&self) -> RoleId {
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
        vec![self.name.as_str().into_value(), self.built_in.into_value(), self.updated_at.into_value()]
    }
}
