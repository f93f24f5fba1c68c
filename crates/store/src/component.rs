//! Components as rows, and what they depend on.

use std::collections::BTreeMap;

use plimsoll_core::{Result, Timestamp, component::Component, id::ComponentId, in_use::Reference};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{Field, FieldKind, Indexed, Resource, Table},
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
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["name"], ""),
            Indexed::new(&["registryIntegrationId"], ""),
            Indexed::new(&["sourceIntegrationId"], ""),
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

/// Writes what a component depends on, in place of what stood there.
pub fn set_dependencies(tx: &mut Tx<'_>, component: &Component) -> Result<()> {
    remove_dependencies(tx, component.id)?;
    let tenant = tx.tenant()?;
    for depends_on in &component.depends_on {
        tx.execute(
            "INSERT INTO component_dependency (tenant_id, component_id, depends_on) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            params![tenant, component.id, *depends_on],
        )?;
    }
    Ok(())
}

/// A deleted component depends on nothing.
pub fn remove_dependencies(tx: &mut Tx<'_>, component: ComponentId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM component_dependency WHERE tenant_id = $1 AND component_id = $2",
        params![tenant, component],
    )
    .map(drop)
}

/// The components that depend on this one, at most 100.
pub fn dependents(tx: &mut Tx<'_>, id: ComponentId) -> Result<Vec<Reference>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT c.id, c.name FROM component_dependency d
         JOIN component c ON c.tenant_id = d.tenant_id AND c.id = d.component_id
         WHERE d.tenant_id = $1 AND d.depends_on = $2 ORDER BY c.name LIMIT 100",
        params![tenant, id],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(Reference::new("component", row.next::<ComponentId>()?, row.next::<String>()?))
        })
        .collect()
}
