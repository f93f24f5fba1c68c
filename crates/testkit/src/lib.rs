//! Real parts for tests: databases, registries, container engines, processes, each of them stopped when it is dropped.
//!
//! Nothing here is skipped when a part is missing: the test fails and says how to get it
//! (`scripts/install-test-parts`). What a killed test leaves behind is taken away by its [`reaper`].

pub mod engine;
pub mod image;
pub mod network;
pub mod port;
pub mod postgres;
pub mod process;
pub mod program;
pub mod reaper;
pub mod registry;
pub mod wait;

pub use engine::{ContainerHost, Engine};
pub use image::{Image, Index};
pub use network::{TestHost, TestNetwork};
pub use port::free_port;
pub use postgres::{Postgres, TestDatabase};
pub use process::Process;
pub use registry::{Registry, RegistryAccess, RegistryOptions, RegistryTls};
pub use wait::{PATIENCE, breath, eventually, eventually_async};
