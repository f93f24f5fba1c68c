//! The agent: our process on or near a target. It talks outbound only, does tasks in journaled steps under a
//! lease and a fence, and leaves what it started running when it dies.

pub mod drivers;
pub mod failpoint;
pub mod fence;
pub mod fs;
pub mod lease;
pub mod masking;
pub mod resources;
pub mod session;
pub mod supervise;
pub mod task;
