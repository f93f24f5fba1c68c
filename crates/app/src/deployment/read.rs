//! Reading jobs, tasks and logs, in environments where the caller may.

use plimsoll_core::{
    Error, Result,
    deployment::{DeploymentJob, LogLine, Task},
    id::{JobId, TaskId},
};
use plimsoll_store::{
    Tx,
    deployment::{TaskRow, log, tasks_of},
    resource::{self, ListQuery, Listing, Resource as _, Stored},
};
use serde_json::json;

use crate::{App, Caller};

impl App {
    /// A page of jobs in environments that the caller may see.
    pub async fn deployment_job_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Stored>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&DeploymentJob::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        self.store.list_stored::<DeploymentJob>(caller.scope(), "deployment_job_list", query).await
    }

    /// One job.
    pub async fn deployment_job_get(&self, caller: &Caller, id: JobId) -> Result<DeploymentJob> {
        let owned = caller.clone();
        self.store.read(caller.scope(), "deployment_job_get", move |tx| visible(tx, &owned, id)).await
    }

    /// A job with all its tasks as of one instant, for a stream that begins anew.
    pub async fn deployment_job_snapshot(&self, caller: &Caller, id: JobId) -> Result<(DeploymentJob, Vec<Task>)> {
        let owned = caller.clone();
        let read = move |tx: &mut Tx<'_>| {
            let job = visible(tx, &owned, id)?;
            Ok((job, tasks_of(tx, id)?.into_iter().map(|row| row.task).collect()))
        };
        self.store.read(caller.scope(), "deployment_job_snapshot", read).await
    }

    /// A page of a job's tasks.
    pub async fn deployment_job_tasks(&self, caller: &Caller, id: JobId, query: ListQuery) -> Result<Listing<Task>> {
        self.deployment_job_get(caller, id).await?;
        let page = self.store.list::<TaskRow>(caller.scope(), "deployment_job_tasks", query).await?;
        Ok(page.map(|row| row.task))
    }

    /// One task of a job.
    pub async fn deployment_job_task(&self, caller: &Caller, job: JobId, id: TaskId) -> Result<Task> {
        let owned = caller.clone();
        self.store
            .read(caller.scope(), "deployment_job_task", move |tx| {
                visible(tx, &owned, job)?;
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
}

/// A job in an environment that the caller may see.
fn visible(tx: &mut Tx<'_>, caller: &Caller, id: JobId) -> Result<DeploymentJob> {
    let job: DeploymentJob = resource::get(tx, id)?;
    caller.may_in(job.environment_id)?;
    Ok(job)
}
