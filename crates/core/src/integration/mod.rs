//! Integrations: what the outside world is and how to reach it.

pub mod resource;

pub use resource::{
    Capability, Category, Check, DiscoverResult, DiscoveredItem, Integration, IntegrationHealth, IntegrationStatus,
    IntegrationType, Probe, SecretState, TestReport,
};
