//! Components: deployable image repositories, and how their containers run.

pub mod depends_on;
pub mod health;
mod limits;
pub mod merge;
pub mod resource;
pub mod runtime;
pub mod versioning;

pub use merge::RuntimePatch;
pub use resource::{
    Attestation, AttestationKind, ChannelRule, Component, ComponentVersion, Platform, PlatformImage, SyncFailure,
    SyncResult,
};
pub use runtime::Runtime;
pub use versioning::{VersionScheme, Versioning};
