//! Components: deployable image repositories, and how their containers run.

pub mod runtime;

pub use runtime::Runtime;
