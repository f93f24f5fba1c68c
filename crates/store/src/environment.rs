//! Environments as rows, and their sealed secrets.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, Result, Timestamp,
    environment::{Environment, SecretRef, path::PromotionGraph},
    id::EnvironmentId,
    label::Labels,
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for Environment {
    type Id = EnvironmentId;
    const TABLE: Table = Table {
        name: "environment",
        noun: "environment",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "orderIndex", column: "order_index", kind: FieldKind::Int, sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&[], "orderIndex"), Indexed::new(&["name"], "")],
    };
    fn id(&self) -> EnvironmentId {
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
        vec![self.name.as_str().into_value(), i64::from(self.order_index).into_value(), self.updated_at.into_value()]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// All living environments of the tenant, oldest first.
pub fn all(tx: &mut Tx<'_>) -> Result<Vec<Environment>> {
    resource::find_where(tx, "1 = 1 ORDER BY created_at, id", params![])
}

/// The tenant's promotion graph. Lock the tenant before, when it is to be changed.
pub fn graph(tx: &mut Tx<'_>) -> Result<PromotionGraph> {
    Ok(PromotionGraph::new(all(tx)?.into_iter().map(|one| (one.id, one.name, one.promotes_from.environment_ids))))
}

/// One secret of an environment, sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedSecret {
    /// Its name.
    pub name: String,
    /// The labels that a target must have.
    pub target_labels: Labels,
    /// As the sealer made it.
    pub sealed: Vec<u8>,
    /// When it was set; part of the place that it is sealed for.
    pub set_at: Timestamp,
}

/// Labels as the one text by which a secret's row is found.
pub fn labels_text(labels: &Labels) -> Result<String> {
    serde_json::to_string(labels).map_err(|cause| Error::internal_defect(format!("labels are not JSON: {cause}")))
}

/// The secrets of an environment, by name and labels.
pub fn secrets(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<Vec<SealedSecret>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT name, target_labels, sealed, set_at FROM environment_secret
         WHERE tenant_id = $1 AND environment_id = $2 ORDER BY name, target_labels",
        params![tenant, id],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(SealedSecret {
                name: row.next()?,
                target_labels: row.next_json()?,
                sealed: row.next()?,
                set_at: row.next()?,
            })
        })
        .collect()
}

/// Sets a secret.
pub fn set_secret(tx: &mut Tx<'_>, id: EnvironmentId, secret: &SealedSecret) -> Result<()> {
    let tenant = tx.tenant()?;
    let labels = labels_text(&secret.target_labels)?;
    tx.execute(
        "INSERT INTO environment_secret (tenant_id, environment_id, name, target_labels, sealed, set_at)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tenant_id, environment_id, name, target_labels)
         DO UPDATE SET sealed = excluded.sealed, set_at = excluded.set_at",
        params![tenant, id, &secret.name, labels, secret.sealed.as_slice(), secret.set_at],
    )
    .map(drop)
}

/// Removes one secret for good. Its version stays taken.
pub fn remove_secret(tx: &mut Tx<'_>, id: EnvironmentId, gone: &SecretRef) -> Result<()> {
    let tenant = tx.tenant()?;
    let labels = labels_text(&gone.target_labels)?;
    tx.execute(
        "INSERT INTO environment_secret_spent (tenant_id, environment_id, name, target_labels, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (tenant_id, environment_id, name, target_labels) DO UPDATE SET version = excluded.version",
        params![tenant, id, &gone.name, &labels, gone.version],
    )?;
    tx.execute(
        "DELETE FROM environment_secret
         WHERE tenant_id = $1 AND environment_id = $2 AND name = $3 AND target_labels = $4",
        params![tenant, id, &gone.name, labels],
    )
    .map(drop)
}

/// A removed secret by its name and the labels that its targets had.
pub type SpentSecrets = BTreeMap<(String, Labels), i64>;

/// The versions of the secrets that were removed.
pub fn spent_secrets(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<SpentSecrets> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT name, target_labels, version FROM environment_secret_spent
         WHERE tenant_id = $1 AND environment_id = $2",
        params![tenant, id],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(((row.next()?, row.next_json()?), row.next()?))
        })
        .collect()
}

/// Removes all secrets: a deleted environment keeps none.
pub fn remove_secrets(tx: &mut Tx<'_>, id: EnvironmentId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM environment_secret WHERE tenant_id = $1 AND environment_id = $2", params![tenant, id])
        .map(drop)
}
