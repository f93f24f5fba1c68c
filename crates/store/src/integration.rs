//! Integrations as rows, and their sealed secrets.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result, Timestamp,
    id::IntegrationId,
    integration::{Integration, IntegrationStatus},
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for Integration {
    type Id = IntegrationId;
    const TABLE: Table = Table {
        name: "integration",
        noun: "integration",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "typeId", column: "type_id", kind: FieldKind::Text, sortable: true },
            Field { api: "enabled", column: "enabled", kind: FieldKind::Bool, sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(IntegrationStatus::WORDS), sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], ""), Indexed::new(&["typeId"], "")],
    };
    fn id(&self) -> IntegrationId {
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
            self.type_id.as_str().into_value(),
            self.enabled.into_value(),
            self.status.as_str().into_value(),
            self.updated_at.into_value(),
        ]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// One secret of an integration, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its name, such as `password`.
    pub name: String,
    /// As the sealer made it.
    pub sealed: Vec<u8>,
    /// When it was set; part of the place that it is sealed for.
    pub updated_at: Timestamp,
}

/// The secrets of an integration.
pub fn secrets(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Vec<SealedSecret>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT name, sealed, updated_at FROM integration_secret WHERE tenant_id = $1 AND integration_id = $2 ORDER BY name",
        params![tenant, id],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(SealedSecret { name: row.next()?, sealed: row.next()?, updated_at: row.next()? })
        })
        .collect()
}

/// Sets a secret.
pub fn set_secret(tx: &mut Tx<'_>, id: IntegrationId, secret: &SealedSecret) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO integration_secret (tenant_id, integration_id, name, sealed, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, integration_id, name) DO UPDATE SET sealed = excluded.sealed, updated_at = excluded.updated_at",
        params![tenant, id, &secret.name, secret.sealed.as_slice(), secret.updated_at],
    )
    .map(drop)
}

/// Removes one secret.
pub fn remove_secret(tx: &mut Tx<'_>, id: IntegrationId, name: &str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM integration_secret WHERE tenant_id = $1 AND integration_id = $2 AND name = $3",
        params![tenant, id, name],
    )
    .map(drop)
}

/// Removes all secrets: a deleted integration keeps none.
pub fn remove_secrets(tx: &mut Tx<'_>, id: IntegrationId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM integration_secret WHERE tenant_id = $1 AND integration_id = $2", params![tenant, id])
        .map(drop)
}
