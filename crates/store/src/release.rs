//! Releases as rows, what they refer to, and what was sealed.

use std::collections::BTreeMap;

use plimsoll_core::{
    Digest, Error, ErrorCode, Result, Timestamp,
    deployment::DeploymentJob,
    id::{ComponentId, EnvironmentId, PromotionId, ReleaseId, TypedId, VersionId},
    in_use::Reference,
    release::{Release, ReleaseStatus, SealedRelease},
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for Release {
    type Id = ReleaseId;
    const TABLE: Table = Table {
        name: "release",
        noun: "release",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "version", column: "version", kind: FieldKind::Text, sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(ReleaseStatus::WORDS), sortable: true },
            Field { api: "channel", column: "channel", kind: FieldKind::Text, sortable: false },
            Field { api: "digest", column: "digest", kind: FieldKind::Text, sortable: false },
            Field { api: "sealedAt", column: "sealed_at", kind: FieldKind::Time, sortable: false },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["status"], "createdAt"),
            Indexed::new(&["name"], "createdAt"),
            Indexed::new(&["name", "version"], ""),
        ],
    };
    fn id(&self) -> ReleaseId {
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
            self.version.as_str().into_value(),
            self.status.as_str().into_value(),
            self.channel.as_deref().into_value(),
            self.digest.into_value(),
            self.sealed_at.into_value(),
            self.updated_at.into_value(),
        ]
    }
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        Some(&self.labels)
    }
}

/// Writes what a release refers to, in place of what stood there.
pub fn set_components(tx: &mut Tx<'_>, release: &Release) -> Result<()> {
    remove_components(tx, release.id)?;
    let tenant = tx.tenant()?;
    for one in &release.components {
        tx.execute(
            "INSERT INTO release_component (tenant_id, release_id, component_id, version_id) VALUES ($1, $2, $3, $4)",
            params![tenant, release.id, one.component_id, one.version_id],
        )?;
    }
    Ok(())
}

/// A deleted release holds nothing any more.
pub fn remove_components(tx: &mut Tx<'_>, release: ReleaseId) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute("DELETE FROM release_component WHERE tenant_id = $1 AND release_id = $2", params![tenant, release])
        .map(drop)
}

/// The living releases that refer to a component, the newest first, at most 100.
pub fn of_component(tx: &mut Tx<'_>, component: ComponentId) -> Result<Vec<Reference>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT r.id, r.name, r.version FROM release_component c
         JOIN release r ON r.tenant_id = c.tenant_id AND r.id = c.release_id
         WHERE c.tenant_id = $1 AND c.component_id = $2 AND r.deleted_at IS NULL ORDER BY r.created_at DESC, r.id LIMIT 100",
        params![tenant, component],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            let (id, name, version) = (row.next::<ReleaseId>()?, row.next::<String>()?, row.next::<String>()?);
            Ok(Reference::new("release", id, format!("{name}@{version}")))
        })
        .collect()
}

/// The versions of a component that drafts and ready releases name, those of the newest releases first.
pub fn open_versions(tx: &mut Tx<'_>, component: ComponentId, most: u32) -> Result<Vec<VersionId>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT c.version_id FROM release_component c
         JOIN release r ON r.tenant_id = c.tenant_id AND r.id = c.release_id
         WHERE c.tenant_id = $1 AND c.component_id = $2 AND r.deleted_at IS NULL AND r.status IN ('draft', 'ready')
         ORDER BY r.created_at DESC, r.id LIMIT $3",
        params![tenant, component, most],
    )?;
    rows.into_iter().map(crate::Row::first).collect()
}

/// What holds a release: whatever was ever promoted keeps naming it.
pub fn references(tx: &mut Tx<'_>, release: ReleaseId) -> Result<Vec<Reference>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT id, status FROM promotion WHERE tenant_id = $1 AND release_id = $2 ORDER BY created_at, id LIMIT 100",
        params![tenant, release],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(Reference::new("promotion", row.next::<PromotionId>()?, row.next::<String>()?))
        })
        .collect()
}

/// The jobs that brought a release into an environment or shall, newest first, at most 20.
pub fn jobs_of(tx: &mut Tx<'_>, release: &Release, environment: EnvironmentId) -> Result<Vec<DeploymentJob>> {
    let condition =
        "environment_id = $2 AND application = $3 AND release_id = $4 ORDER BY created_at DESC, id DESC LIMIT 20";
    resource::find_where(tx, condition, params![environment, &release.name, release.id])
}

/// The first job that brought another release of the application after `last`.
pub fn next_release(tx: &mut Tx<'_>, release: &Release, last: &DeploymentJob) -> Result<Option<DeploymentJob>> {
    let condition = "environment_id = $2 AND application = $3 AND release_id <> $4 AND status = 'succeeded'
       AND created_at > $5 ORDER BY created_at, id LIMIT 1";
    let values = params![last.environment_id, &release.name, release.id, last.created_at];
    Ok(resource::find_where(tx, condition, values)?.pop())
}

/// What runs of an application in an environment, one entry a target.
pub fn runs_of(tx: &mut Tx<'_>, application: &str, environment: EnvironmentId) -> Result<Vec<(ReleaseId, Timestamp)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT release_id, since FROM running WHERE tenant_id = $1 AND environment_id = $2 AND application = $3 ORDER BY target_id",
        params![tenant, environment, application],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// The living release with this name and version.
pub fn by_version(tx: &mut Tx<'_>, name: &str, version: &str) -> Result<Option<Release>> {
    Ok(resource::find_where(tx, "name = $2 AND version = $3", &[name.into_value(), version.into_value()])?.pop())
}

/// Keeps what was sealed.
pub fn keep_seal(tx: &mut Tx<'_>, release: ReleaseId, digest: Digest, sealed: &SealedRelease) -> Result<()> {
    let tenant = tx.tenant()?;
    let body = serde_json::to_string(sealed)
        .map_err(|cause| Error::internal_defect(format!("a sealed release is not JSON: {cause}")))?;
    tx.execute(
        "INSERT INTO release_seal (tenant_id, release_id, digest, body) VALUES ($1, $2, $3, $4)",
        params![tenant, release, digest, body],
    )
    .map(drop)
}

/// What was sealed, and the digest that it had then. A draft has none: 422 `RELEASE_NOT_READY`.
pub fn seal(tx: &mut Tx<'_>, release: ReleaseId) -> Result<(SealedRelease, Digest)> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT body, digest FROM release_seal WHERE tenant_id = $1 AND release_id = $2",
        params![tenant, release],
    )?;
    let mut row = row
        .ok_or_else(|| {
            let message = format!("release {} is a draft; seal it first with PUT and status \"ready\"", release.uuid());
            Error::new(ErrorCode::ReleaseNotReady, message)
        })?
        .reader();
    Ok((row.next_json()?, row.next()?))
}
