//! Deployment jobs, their tasks and logs.

use plimsoll_core::{
    Result,
    deployment::{Artifact, DeploymentJob, LogLine, Task},
    id::JobId,
};
use plimsoll_protocol::{deployment::CancelJob, operation::OperationId as Op};
use plimsoll_store::{artifact::ArtifactRow, deployment::TaskRow, resource::Resource as _};

use super::{answer::Answer, call::Call, download::Download, job_stream, route::Route};

/// Log lines of one answer.
const LINES: usize = 1000;

pub(crate) async fn list(call: Call) -> Result<Answer> {
    let query = call.list::<DeploymentJob>("-createdAt")?;
    Answer::page(&call.server.app.deployment_job_list(&call.caller, query).await?)
}

pub(crate) async fn get(call: Call) -> Result<Answer> {
    let job = call.server.app.deployment_job_get(&call.caller, call.id("id")?).await?;
    Answer::resource(&job, job.revision)
}

pub(crate) async fn tasks(call: Call) -> Result<Answer> {
    let id: JobId = call.id("id")?;
    let parent = serde_json::json!({ "jobId": id });
    let query = call.list::<TaskRow>("batch")?.within(&TaskRow::TABLE, &parent)?;
    Answer::page(&call.server.app.deployment_job_tasks(&call.caller, id, query).await?)
}

pub(crate) async fn task(call: Call) -> Result<Answer> {
    Answer::ok(&call.server.app.deployment_job_task(&call.caller, call.id("id")?, call.id("taskId")?).await?)
}

pub(crate) async fn task_logs(call: Call) -> Result<Answer> {
    let (job, task) = (call.id("id")?, call.id("taskId")?);
    let after = call.parsed("after", "the number of a line")?.unwrap_or(0);
    let limit = call.parsed("limit", "a number of lines")?.unwrap_or(LINES).clamp(1, LINES);
    Answer::ok(&call.server.app.deployment_job_task_logs(&call.caller, job, task, after, limit).await?)
}

pub(crate) async fn artifacts(call: Call) -> Result<Answer> {
    let id: JobId = call.id("id")?;
    let parent = serde_json::json!({ "jobId": id });
    let query = call.list::<ArtifactRow>("createdAt")?.within(&ArtifactRow::TABLE, &parent)?;
    Answer::page(&call.server.app.deployment_job_artifacts(&call.caller, id, query).await?)
}

pub(crate) async fn artifact(call: Call) -> Result<Answer> {
    let (job, id) = (call.id("id")?, call.id("artifactId")?);
    let (artifact, content) = call.server.app.deployment_job_artifact(&call.caller, job, id).await?;
    Download { name: artifact.name, media_type: "application/json", content }.answer(&call.headers)
}

pub(crate) async fn cancel(mut call: Call) -> Result<Answer> {
    let (id, body) = (call.id("id")?, call.body_or_default()?);
    Answer::reply(call.server.app.deployment_job_cancel(&call.caller, id, body).await?)
}

pub(crate) async fn stream(call: Call) -> Result<Answer> {
    job_stream::open(call).await
}

/// The operations of this file.
pub(crate) fn routes() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::DeploymentJobList, list).pages::<DeploymentJob>(),
        Route::new(Op::DeploymentJobGet, get).answers::<DeploymentJob>(),
        Route::new(Op::DeploymentJobTasks, tasks).pages::<Task>(),
        Route::new(Op::DeploymentJobTask, task).answers::<Task>(),
        Route::new(Op::DeploymentJobTaskLogs, task_logs)
            .lists::<LogLine>()
            .asks("after", "integer", "The number of the last line that was seen.")
            .asks("limit", "integer", "The most lines that are answered."),
        Route::new(Op::DeploymentJobArtifacts, artifacts).pages::<Artifact>(),
        Route::new(Op::DeploymentJobArtifact, artifact).raw(&["application/json"]),
        Route::new(Op::DeploymentJobCancel, cancel).takes::<CancelJob>()?.optional_body().answers::<DeploymentJob>(),
        Route::new(Op::DeploymentJobStream, stream)
            .raw(&["application/json"])
            .asks("after", "integer", "The seq of the last message that was seen.")
            .asks("taskId", "string", "Only what is about this task.")
            .asks("ticket", "string", "A one-time ticket, where no header can be set."),
    ])
}
