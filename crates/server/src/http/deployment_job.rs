//! Deployment jobs, their tasks and logs.

use plimsoll_core::{
    Error, Result,
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
    let format = call.parsed("format", "`json`, `text` or `ndjson`")?.unwrap_or(LogFormat::Json);
    let lines = call.server.app.deployment_job_task_logs(&call.caller, job, task, after, limit).await?;
    match format {
        LogFormat::Json => Answer::ok(&lines),
        LogFormat::Text => Answer::plain("text/plain; charset=utf-8", lines.iter().map(in_words).collect()),
        LogFormat::Ndjson => {
            let mut body = String::new();
            for line in &lines {
                let line = serde_json::to_string(line)
                    .map_err(|cause| Error::internal_defect(format!("a log line is not JSON: {cause}")))?;
                body.push_str(&line);
                body.push('\n');
            }
            Answer::plain("application/x-ndjson", body)
        }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LogFormat {
    /// In the envelope, as everything else.
    Json,
    /// For people.
    Text,
    /// One JSON document a line.
    Ndjson,
}

impl std::str::FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        match text {
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            "ndjson" => Ok(Self::Ndjson),
            _ => Err(()),
        }
    }
}

fn in_words(line: &LogLine) -> String {
    let component = line.component.as_deref().map(|name| format!(" {name}")).unwrap_or_default();
    format!("{} {}{component}: {}\n", line.at, line.source, line.text)
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
            .asks("limit", "integer", "The most lines that are answered.")
            .asks(
                "format",
                "string",
                "`json` (the default), `text` for people, or `ndjson`: one JSON document a line.",
            ),
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
