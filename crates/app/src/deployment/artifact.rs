//! What a job leaves behind for people to look at: its plan, each target's deployment spec, health report
//! and sticker.

use plimsoll_core::{
    Digest, Error, Result, Timestamp,
    deployment::{Artifact, DeploymentJob, Task, TaskKind},
    id::{ArtifactId, JobId, TypedId},
};
use plimsoll_protocol::agent::report::TaskResult;
use plimsoll_store::{
    Tx,
    artifact::{self as rows, ArtifactRow},
    resource::{ListQuery, Listing},
};
use serde::Serialize;
use serde_json::json;

use crate::{App, Caller, Notes};

const JSON: &str = "application/json";

impl App {
    /// A page of what a job left behind.
    pub async fn deployment_job_artifacts(
        &self,
        caller: &Caller,
        job: JobId,
        query: ListQuery,
    ) -> Result<Listing<Artifact>> {
        self.deployment_job_get(caller, job).await?;
        let page = self.store.list::<ArtifactRow>(caller.scope(), "deployment_job_artifacts", query).await?;
        Ok(page.map(|row| row.artifact))
    }

    /// One of them with its content.
    pub async fn deployment_job_artifact(
        &self,
        caller: &Caller,
        job: JobId,
        id: ArtifactId,
    ) -> Result<(Artifact, Vec<u8>)> {
        self.deployment_job_get(caller, job).await?;
        self.store.read(caller.scope(), "deployment_job_artifact", move |tx| rows::content(tx, job, id)).await
    }
}

/// Whose artifact it is.
#[derive(Clone, Copy)]
pub(crate) enum Of<'a> {
    Job(JobId),
    Task(&'a Task),
}

/// The name of a task's artifact: it says where, and whether something was put back.
fn name(kind: &str, of: Of<'_>) -> String {
    match of {
        Of::Job(_) => format!("{kind}.json"),
        Of::Task(task) => match task.kind {
            TaskKind::Forward => format!("{kind}-{}.json", task.target_name),
            TaskKind::Rollback => format!("{kind}-{}-rollback.json", task.target_name),
        },
    }
}

/// Keeps a document as an artifact, indented: people read it.
pub(crate) fn keep<T: Serialize>(
    tx: &mut Tx<'_>,
    id: ArtifactId,
    of: Of<'_>,
    kind: &str,
    content: &T,
    at: Timestamp,
) -> Result<()> {
    let mut bytes = serde_json::to_vec_pretty(content)
        .map_err(|cause| Error::internal_defect(format!("an artifact is not JSON: {cause}")))?;
    bytes.push(b'\n');
    keep_bytes(tx, id, of, kind, &bytes, at)
}

fn keep_bytes(tx: &mut Tx<'_>, id: ArtifactId, of: Of<'_>, kind: &str, bytes: &[u8], at: Timestamp) -> Result<()> {
    let (job_id, task_id) = match of {
        Of::Job(job) => (job, None),
        Of::Task(task) => (task.job_id, Some(task.id)),
    };
    let artifact = Artifact {
        id,
        job_id,
        task_id,
        name: name(kind, of),
        media_type: JSON.to_owned(),
        size_bytes: bytes.len() as u64,
        digest: Digest::of(bytes),
        created_at: at,
    };
    rows::keep(tx, artifact, bytes).map(drop)
}

/// The plan, kept with the job that it was made for.
pub(crate) fn keep_plan(tx: &mut Tx<'_>, notes: &Notes, job: &DeploymentJob) -> Result<()> {
    keep(tx, notes.id(), Of::Job(job.id), "plan", &job.plan, notes.now())
}

/// What an agent told at the end of a task: its health report, and the sticker byte for byte as it lies on
/// the target.
pub(crate) fn keep_result(tx: &mut Tx<'_>, notes: &Notes, task: &Task, result: &TaskResult) -> Result<()> {
    let report = json!({
        "taskId": task.id.uuid(), "targetId": task.target_id.uuid(), "targetName": task.target_name,
        "outcome": result.outcome, "remains": result.remains, "startedAt": result.started_at,
        "finishedAt": result.finished_at, "components": result.components, "error": result.error,
        "stickerPlaced": result.sticker_placed,
    });
    keep(tx, notes.id(), Of::Task(task), "health-report", &report, notes.now())?;
    if !result.sticker_placed {
        return Ok(());
    }
    match crate::sticker::place::ordered_text(tx, task)? {
        Some(text) => keep_bytes(tx, notes.id(), Of::Task(task), "sticker", text.as_bytes(), notes.now()),
        None => Ok(()),
    }
}
