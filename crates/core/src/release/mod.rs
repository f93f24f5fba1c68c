//! Releases: immutable sets of component versions of one application.

pub mod compare;
pub mod placement;
pub mod reference;
pub mod resource;
pub mod seal;
pub mod spec;
pub mod standing;
pub mod state;
#[cfg(test)]
pub(crate) mod testing;
pub mod values;

pub use compare::{ReleaseComparison, Side, compare};
pub use placement::{Place, Placed, place};
pub use resource::{
    Deprecation, EnvironmentState, EnvironmentStateStatus, Release, ReleaseComponent, ReleaseSource, ReleaseState,
    ReleaseStatus, Variables,
};
pub use seal::{Referred, SealedComponent, SealedRelease, seal};
pub use spec::{Registry, ResolvedSpec, SpecSource, resolve_spec};
pub use state::{ReleaseCommand, promotable};
pub use values::ValueScope;
