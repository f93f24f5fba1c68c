//! Deployment: specs, plans, jobs, tasks and their state machines.

pub mod spec;
