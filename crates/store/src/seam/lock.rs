//! Locks on aggregates, taken before a decision is made about them.

use plimsoll_core::id::{
    AgentId, ComponentId, EnvironmentId, JobId, PromotionId, ReleaseId, TargetId, TaskId, TenantId, TypedId,
};

/// An aggregate, in the one fixed order in which locks are taken: parents before children.
#[derive(Clone, Debug)]
pub enum Lock<'a> {
    /// Everything of a tenant that is not below.
    Tenant(TenantId),
    /// One environment's rules.
    Environment(EnvironmentId),
    /// One application in one environment.
    Application(EnvironmentId, &'a str),
    /// One component.
    Component(ComponentId),
    /// One release.
    Release(ReleaseId),
    /// One promotion.
    Promotion(PromotionId),
    /// One deployment job.
    Job(JobId),
    /// One task.
    Task(TaskId),
    /// One target.
    Target(TargetId),
    /// One agent.
    Agent(AgentId),
    /// Anything else that has a name.
    Named(&'static str, &'a str),
}

impl Lock<'_> {
    /// The 64-bit key of a PostgreSQL advisory lock: the first bytes of a SHA-256 over tenant, kind and id.
    /// Two aggregates that share a key (2^-64) only wait for each other.
    pub(crate) fn key(&self, tenant: &str) -> i64 {
        let (kind, name) = match self {
            Self::Tenant(id) => ("tenant", id.uuid().to_string()),
            Self::Environment(id) => ("environment", id.uuid().to_string()),
            Self::Application(id, name) => ("application", format!("{id}/{name}")),
            Self::Component(id) => ("component", id.uuid().to_string()),
            Self::Release(id) => ("release", id.uuid().to_string()),
            Self::Promotion(id) => ("promotion", id.uuid().to_string()),
            Self::Job(id) => ("job", id.uuid().to_string()),
            Self::Task(id) => ("task", id.uuid().to_string()),
            Self::Target(id) => ("target", id.uuid().to_string()),
            Self::Agent(id) => ("agent", id.uuid().to_string()),
            Self::Named(kind, name) => (*kind, (*name).to_owned()),
        };
        let digest = plimsoll_core::Digest::of(format!("{tenant}\0{kind}\0{name}").as_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&digest.as_bytes()[..8]);
        i64::from_be_bytes(first)
    }
}
