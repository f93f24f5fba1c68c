//! What jobs leave behind: log lines and artifacts.

use serde::{Deserialize, Serialize};

use crate::{
    Digest, Timestamp,
    id::{ArtifactId, JobId, TaskId},
    words::words,
};

/// One line of a task's log, secrets masked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// Its place in the task's log, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Who wrote it.
    pub source: LogSource,
    /// Which component it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The text without its line end.
    pub text: String,
}

/// Who wrote a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogSource {
    /// A program's standard output.
    Stdout,
    /// A program's standard error.
    Stderr,
    /// The agent's own words.
    Agent,
    /// The server's own words.
    Server,
}

words!(LogSource, "source of a log line", {
    Stdout = "stdout",
    Stderr = "stderr",
    Agent = "agent",
    Server = "server",
});

/// Something that a job produced and kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// Its id.
    pub id: ArtifactId,
    /// Of which job.
    pub job_id: JobId,
    /// Of which task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_id: Option<TaskId>,
    /// The file's name.
    pub name: String,
    /// The kind of content, such as `application/json`.
    pub media_type: String,
    /// How large.
    pub size_bytes: u64,
    /// Of its content.
    pub digest: Digest,
    /// When it was made.
    pub created_at: Timestamp,
}
