//! Tenants as rows. They all belong to tenant `default`, whose administrators alone see them.

use plimsoll_core::{Result, Timestamp, id::TenantId, identity::Tenant, rate::Tier};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Resource, Table},
};

impl Resource for Tenant {
    type Id = TenantId;
    const TABLE: Table = Table {
        name: "tenant",
        noun: "tenant",
        fields: &[Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true }],
        indexed: &[],
    };
    fn id(&self) -> TenantId {
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
        vec![self.name.as_str().into_value()]
    }
}

/// The tenant with this name; in a system transaction.
pub fn tenant_by_name(tx: &mut Tx<'_>, name: &str) -> Result<Option<Tenant>> {
    tx.query_opt("SELECT body FROM tenant WHERE name = $1 AND deleted_at IS NULL", params![name])?
        .map(resource::parse)
        .transpose()
}

/// Every tenant's id, by age; in a system transaction.
pub fn tenants(tx: &mut Tx<'_>) -> Result<Vec<TenantId>> {
    let rows = tx.query("SELECT id FROM tenant WHERE deleted_at IS NULL ORDER BY created_at, id", params![])?;
    rows.into_iter().map(crate::Row::first).collect()
}

/// Every tenant's tier; in a system transaction.
pub fn tiers(tx: &mut Tx<'_>) -> Result<Vec<(TenantId, Tier)>> {
    let rows = tx.query("SELECT body FROM tenant WHERE deleted_at IS NULL", params![])?;
    rows.into_iter().map(|row| resource::parse::<Tenant>(row).map(|tenant| (tenant.id, tenant.tier))).collect()
}
