//! Deployment: specs, plans, jobs, tasks and their state machines.

pub mod job;
pub mod output;
pub mod plan_view;
pub mod spec;
pub mod task;

pub use job::{DeploymentJob, JobFailure, JobKind, JobStatus, Progress, Rollback};
pub use output::{Artifact, LogLine, LogSource};
pub use plan_view::{LeftOut, LeftOutReason, Plan, PlanComponent, PlanTarget, PlannedChange};
pub use task::{Remains, Task, TaskComponent, TaskError, TaskKind, TaskStatus};
