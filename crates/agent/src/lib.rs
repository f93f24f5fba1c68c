//! The agent: our process on or near a target. It talks outbound only, does tasks in journaled steps under a
//! lease and a fence, and leaves what it started running when it dies.

pub mod command;
pub mod config;
pub mod drivers;
pub mod failpoint;
pub mod fence;
pub mod fs;
mod host;
pub mod lease;
pub mod masking;
pub mod resources;
mod run;
pub mod session;
pub mod supervise;
pub mod task;
pub mod work;

pub use config::{AgentConfig, EnrolSettings};
pub use run::run;
pub use session::enrol;
