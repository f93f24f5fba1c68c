//! What jobs leave behind: a row each, its content beside it.

use plimsoll_core::{
    Error, Result, Timestamp,
    deployment::Artifact,
    id::{ArtifactId, JobId},
};
use serde::{Deserialize, Serialize};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{Field, FieldKind, Indexed, Resource, Table, body},
};

/// An artifact with what every row has. It never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArtifactRow {
    /// As the API shows it.
    #[serde(flatten)]
    pub artifact: Artifact,
    /// Stays 1.
    pub revision: i64,
}

impl Resource for ArtifactRow {
    type Id = ArtifactId;
    const TABLE: Table = Table {
        name: "artifact",
        noun: "artifact",
        fields: &[
            Field { api: "jobId", column: "job_id", kind: FieldKind::Id, sortable: false },
            Field { api: "taskId", column: "task_id", kind: FieldKind::Id, sortable: false },
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
        ],
        indexed: &[Indexed::new(&["jobId"], "createdAt")],
    };
    fn id(&self) -> ArtifactId {
        self.artifact.id
    }
    fn created_at(&self) -> Timestamp {
        self.artifact.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        let one = &self.artifact;
        vec![one.job_id.into_value(), one.task_id.into_value(), one.name.as_str().into_value()]
    }
}

/// Keeps an artifact with its content. One of the same name that its task or job has already stays as it
/// is; answers whether it is the first.
pub fn keep(tx: &mut Tx<'_>, artifact: Artifact, content: &[u8]) -> Result<bool> {
    let tenant = tx.tenant()?;
    let row = ArtifactRow { artifact, revision: 1 };
    let one = &row.artifact;
    let new = tx.execute(
        "INSERT INTO artifact (tenant_id, id, revision, created_at, body, job_id, task_id, name, content)
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        params![tenant, one.id, one.created_at, body(&row)?, one.job_id, one.task_id, one.name.as_str(), content],
    )?;
    Ok(new == 1)
}

/// An artifact of a job with its content.
pub fn content(tx: &mut Tx<'_>, job: JobId, id: ArtifactId) -> Result<(Artifact, Vec<u8>)> {
    let tenant = tx.tenant()?;
    let row = tx
        .query_opt(
            "SELECT body, content FROM artifact WHERE tenant_id = $1 AND job_id = $2 AND id = $3",
            params![tenant, job, id],
        )?
        .ok_or_else(|| Error::not_found(id))?;
    let mut row = row.reader();
    let found: ArtifactRow = row.next_json()?;
    Ok((found.artifact, row.next()?))
}
