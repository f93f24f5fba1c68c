//! Users as rows.

use plimsoll_core::{Timestamp, id::UserId, identity::User};

use crate::{
    IntoValue, Value,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for User {
    type Id = UserId;
    const TABLE: Table = Table {
        name: "app_user",
        noun: "user",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "email", column: "email", kind: FieldKind::Text, sortable: false },
            Field { api: "active", column: "active", kind: FieldKind::Bool, sortable: true },
            Field { api: "serviceOf", column: "service_of", kind: FieldKind::Id, sortable: false },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], "")],
    };
    fn id(&self) -> UserId {
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
            self.email.as_deref().into_value(),
            self.active.into_value(),
            self.service_of.into_value(),
            self.updated_at.into_value(),
        ]
    }
}
