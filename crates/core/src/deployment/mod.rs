//! Deployment: specs, plans, jobs, tasks and their state machines.

pub mod history;
pub mod job;
pub mod job_state;
pub mod output;
pub mod plan;
pub mod plan_view;
mod ports;
pub mod rollout;
pub mod spec;
pub mod task;
pub mod task_state;

pub use job::{CancelMode, Cancellation, DeploymentJob, JobFailure, JobKind, JobStatus, Progress, Rollback};
pub use job_state::{JobCommand, JobEnd};
pub use output::{Artifact, LogLine, LogSource};
pub use plan_view::{Handover, LeftOut, LeftOutReason, Plan, PlanComponent, PlanTarget, PlannedChange, SkipReason};
pub use task::{Remains, Task, TaskComponent, TaskError, TaskKind, TaskStatus};
pub use task_state::TaskCommand;

#[cfg(test)]
pub(crate) mod testing;
