//! Inventory: the targets of environments and the agents that act on them.

pub mod agent;
pub mod choice;
pub mod health;
pub mod target;

pub use agent::{Agent, AgentCopy, AgentResources, AgentStatus, Capability};
pub use choice::agent_of;
pub use health::{ContainerHealth, EngineHealth, HealthReport};
pub use target::{RunningApplication, StickerView, Target, TargetStatus, TargetType};
