//! Releases: immutable sets of component versions of one application.

pub mod resource;

pub use resource::{
    Deprecation, EnvironmentState, EnvironmentStateStatus, Release, ReleaseComponent, ReleaseSource, ReleaseState,
    ReleaseStatus, Variables,
};
