//! What runs where, as the tasks reported it.

use plimsoll_core::{
    Error, Result, Timestamp,
    deployment::spec::DeploymentSpec,
    id::{EnvironmentId, JobId, ReleaseId, TargetId},
};

use crate::{Row, Tx, params};

/// One application on one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// Where.
    pub target: TargetId,
    /// What.
    pub application: String,
    /// Which release.
    pub release: ReleaseId,
    /// Brought by which job.
    pub job: JobId,
    /// Exactly what.
    pub spec: DeploymentSpec,
    /// Since when.
    pub since: Timestamp,
}

const COLUMNS: &str = "target_id, application, release_id, job_id, spec, since";

fn read(row: Row) -> Result<Running> {
    let mut row = row.reader();
    Ok(Running {
        target: row.next()?,
        application: row.next()?,
        release: row.next()?,
        job: row.next()?,
        spec: row.next_json()?,
        since: row.next()?,
    })
}

/// Notes what runs now.
pub fn put(tx: &mut Tx<'_>, spec: &DeploymentSpec, job: JobId, at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    let text =
        serde_json::to_string(spec).map_err(|cause| Error::internal_defect(format!("a spec is not JSON: {cause}")))?;
    tx.execute(
        "INSERT INTO running (tenant_id, target_id, application, environment_id, release_id, job_id, spec, since)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (tenant_id, target_id, application) DO UPDATE SET
           environment_id = excluded.environment_id, release_id = excluded.release_id, job_id = excluded.job_id,
           spec = excluded.spec, since = excluded.since",
        params![tenant, spec.target_id, &spec.application, spec.environment_id, spec.release_id, job, text, at],
    )
    .map(drop)
}

/// Notes that the application is gone from the target.
pub fn remove(tx: &mut Tx<'_>, target: TargetId, application: &str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM running WHERE tenant_id = $1 AND target_id = $2 AND application = $3",
        params![tenant, target, application],
    )
    .map(drop)
}

/// Everything that runs on a target.
pub fn on_target(tx: &mut Tx<'_>, target: TargetId) -> Result<Vec<Running>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT {COLUMNS} FROM running WHERE tenant_id = $1 AND target_id = $2 ORDER BY application");
    tx.query(&sql, params![tenant, target])?.into_iter().map(read).collect()
}

/// The other applications that run in an environment, with each release of theirs that runs on some target.
pub fn releases_of_others(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    application: &str,
) -> Result<Vec<(String, ReleaseId)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT DISTINCT application, release_id FROM running
         WHERE tenant_id = $1 AND environment_id = $2 AND application <> $3 ORDER BY application, release_id",
        params![tenant, environment, application],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// The application on all targets of an environment.
pub fn of_application(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<Running>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT {COLUMNS} FROM running WHERE tenant_id = $1 AND environment_id = $2 AND application = $3 ORDER BY target_id"
    );
    tx.query(&sql, params![tenant, environment, application])?.into_iter().map(read).collect()
}
