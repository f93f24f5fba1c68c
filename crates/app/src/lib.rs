//! The use cases, one folder or file a noun: authorise, load, decide in `core`, store.
//!
//! A mutation goes through [`mutation`]: the change, its audit event, its events and the answer under its
//! Idempotency-Key are one transaction.

pub mod agent;
pub mod agent_session;
pub mod caller;
mod change;
pub mod component;
pub mod deployment;
pub mod environment;
pub mod evidence;
pub mod failpoint;
pub mod freeze_window;
pub mod identity;
pub mod integration;
pub mod json_schema;
pub mod mutation;
mod notes;
pub mod oauth;
mod outside;
pub mod promotion;
pub mod registry;
pub mod release;
pub mod replace;
mod replay;
pub mod rollback;
pub mod sealing;
pub mod settings;
pub mod signing;
pub mod sticker;
mod stored;
pub mod target;
mod target_health;
pub mod tasks;

use std::sync::{Arc, OnceLock};

use identity::Authority;
use plimsoll_authority::seal::RootKey;
use plimsoll_core::{Timestamp, context::Context};
use plimsoll_store::Store;
use registry::{OciGateway, RegistryGateway};
use sealing::Sealing;

pub use caller::Caller;
pub use mutation::{Change, Notes, Reply};
pub use settings::Settings;

/// Everything that use cases need. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct App {
    /// The database.
    pub store: Store,
    /// Time, randomness and ids.
    pub context: Context,
    /// What seals secrets at rest.
    pub sealing: Sealing,
    /// The tenants' signing keys.
    pub signing: signing::Signing,
    /// What the operator set.
    pub settings: Settings,
    /// What agents told last.
    pub heartbeats: agent::Heartbeats,
    /// When this process began to serve.
    pub started_at: Timestamp,
    /// Names this process among replicas.
    pub replica: String,
    /// What talks to registries.
    pub registries: Arc<dyn RegistryGateway>,
    /// What signs and checks tokens, once [`identity::start`] loaded it.
    authority: OnceLock<Authority>,
}

impl App {
    /// The use cases over `store`. Everything sealed depends on `root`.
    #[must_use]
    pub fn new(store: Store, context: Context, root: RootKey, settings: Settings) -> Self {
        let registries = Arc::new(OciGateway::new(settings.outbound.clone(), context.clone()));
        Self {
            started_at: context.now(),
            replica: context.uuid().to_string(),
            sealing: Sealing::new(root),
            signing: signing::Signing::default(),
            store,
            context,
            settings,
            heartbeats: agent::Heartbeats::default(),
            registries,
            authority: OnceLock::new(),
        }
    }
}
