//! A task on this host: its steps, its machine, its journal, and the runner that does what the machine says.

pub mod entry;
pub mod following;
pub mod journal;
pub mod logger;
pub mod machine;
pub mod runner;
pub mod secrets;
pub mod step;
mod telling;
