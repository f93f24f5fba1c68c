//! Reading jobs, tasks and logs.

use plimsoll_core::{
    Error, Result,
    deployment::{DeploymentJob, LogLine, Task},
    id::{JobId, TaskId},
};
use plimsoll_store::{
    deployment::{self as rows, TaskRow, log},
    resource::{self, ListQuery, Listing, Stored},
};

use crate::{App, Caller};

impl App {
    /// A page of jobs.
    pub async fn deployment_job_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Stored>> {
        self.store.list_stored::<DeploymentJob>(caller.scope(), "deployment_job_list", query).await
    }

    /// One job.
    pub async fn deployment_job_get(&self, caller: &Caller, id: JobId) -> Result<DeploymentJob> {
        self.store.read(caller.scope(), "deployment_job_get", move |tx| resource::get(tx, id)).await
    }

    /// A page of a job's tasks.
    pub async fn deployment_job_tasks(&self, caller: &Caller, id: JobId, query: ListQuery) -> Result<Listing<Task>> {
        self.deployment_job_get(caller, id).await?;
        let page = self.store.list::<TaskRow>(caller.scope(), "deployment_job_tasks", query).await?;
        Ok(page.map(|row| row.task))
    }

    /// One task of a job.
    pub async fn deployment_job_task(&self, caller: &Caller, job: JobId, id: TaskId) -> Result<Task> {
        self.store
            .read(caller.scope(), "deployment_job_task", move |tx| {
                let row: TaskRow = resource::get(tx, id)?;
                if row.task.job_id == job { Ok(row.task) } else { Err(Error::not_found(id)) }
            })
            .await
    }

    /// Log lines of a task after `after`, at most `limit`.
    pub async fn deployment_job_task_logs(
        &self,
        caller: &Caller,
        job: JobId,
        id: TaskId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>> {
        self.deployment_job_task(caller, job, id).await?;
        self.store.read(caller.scope(), "deployment_job_task_logs", move |tx| log::read(tx, id, after, limit)).await
    }

    /// All tasks of a job, for a stream's snapshot.
    pub async fn deployment_job_all_tasks(&self, caller: &Caller, id: JobId) -> Result<Vec<Task>> {
        let found = self.store.read(caller.scope(), "deployment_job_tasks", move |tx| rows::tasks_of(tx, id)).await?;
        Ok(found.into_iter().map(|row| row.task).collect())
    }
}
