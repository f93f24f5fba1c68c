//! Components as rows.

use std::collections::BTreeMap;

use plimsoll_core::{Timestamp, component::Component, id::ComponentId};

use crate::{
    IntoValue, Value,
    resource::{Field, FieldKind, Resource, Table},
};

impl Resource for Component {
    type Id = ComponentId;
    const TABLE: Table = Table {
        name: "component",
        noun: "component",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "repository", column: "repository", kind: FieldKind::Text, sortable: true },
            Field {
                api: "registryIntegrationId",
                column: "registry_integration_id",
                kind: FieldKind::Id,
                sortable: false,
            },
            Field { api: "sourceIntegrationId", column: "source_integration_id", kind: FieldKind::Id, sortable: false },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
    };
    fn id(&self) -> ComponentId {
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
            self.repository.as_str().into_value(),
            self.registry_integration_id.into_value(),
            self.source_integration_id.into_value(),
            self.updated_at.into_value(),
        ]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}
