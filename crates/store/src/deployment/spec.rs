//! The deployment specs of a job's targets.

use plimsoll_core::{
    Digest, Error, Result,
    deployment::spec::DeploymentSpec,
    id::{JobId, TargetId},
};

use crate::{Tx, params};

/// What a job brings to a target, and what ran there before. `None` is nothing of the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// Where.
    pub target: TargetId,
    /// What shall run.
    pub spec: Option<DeploymentSpec>,
    /// What ran.
    pub previous: Option<DeploymentSpec>,
    /// SHA-256 of the canonical `spec`.
    pub digest: Digest,
}

fn text(spec: Option<&DeploymentSpec>) -> Result<Option<String>> {
    spec.map(serde_json::to_string)
        .transpose()
        .map_err(|cause| Error::internal_defect(format!("a spec is not JSON: {cause}")))
}

fn parse(text: Option<String>) -> Result<Option<DeploymentSpec>> {
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|cause| Error::internal_defect(format!("a stored spec does not fit its type: {cause}")))
}

/// Keeps the spec of one target.
pub fn insert(tx: &mut Tx<'_>, job: JobId, spec: &JobSpec) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO job_spec (tenant_id, job_id, target_id, spec, previous, digest) VALUES ($1, $2, $3, $4, $5, $6)",
        params![tenant, job, spec.target, text(spec.spec.as_ref())?, text(spec.previous.as_ref())?, spec.digest],
    )
    .map(drop)
}

/// The spec of one target.
pub fn find(tx: &mut Tx<'_>, job: JobId, target: TargetId) -> Result<Option<JobSpec>> {
    let tenant = tx.tenant()?;
    let row = tx.query_opt(
        "SELECT spec, previous, digest FROM job_spec WHERE tenant_id = $1 AND job_id = $2 AND target_id = $3",
        params![tenant, job, target],
    )?;
    row.map(|row| {
        let mut row = row.reader();
        Ok(JobSpec { target, spec: parse(row.next()?)?, previous: parse(row.next()?)?, digest: row.next()? })
    })
    .transpose()
}

/// The specs of all targets of a job.
pub fn of_job(tx: &mut Tx<'_>, job: JobId) -> Result<Vec<JobSpec>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT target_id, spec, previous, digest FROM job_spec WHERE tenant_id = $1 AND job_id = $2 ORDER BY target_id",
        params![tenant, job],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            let target = row.next()?;
            Ok(JobSpec { target, spec: parse(row.next()?)?, previous: parse(row.next()?)?, digest: row.next()? })
        })
        .collect()
}

/// What ran on a target turned out to be something else.
pub fn set_previous(tx: &mut Tx<'_>, job: JobId, target: TargetId, previous: Option<&DeploymentSpec>) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "UPDATE job_spec SET previous = $4 WHERE tenant_id = $1 AND job_id = $2 AND target_id = $3",
        params![tenant, job, target, text(previous)?],
    )
    .map(drop)
}
