//! Clients of registries, kept while their integration is unchanged: with them connections, tokens and
//! what a registry said about its limits.

use std::time::Duration;

use moka::sync::Cache;
use plimsoll_core::{Timestamp, id::IntegrationId};
use plimsoll_oci::{RegistryClient, RegistryError};

/// Clients kept at most.
const MOST: u64 = 1_000;
/// A client that nobody used for so long is dropped.
const IDLE: Duration = Duration::from_mins(10);

#[derive(Clone, Debug)]
pub(super) struct Clients(Cache<(IntegrationId, Timestamp), RegistryClient>);

impl Clients {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_idle(IDLE).build())
    }

    pub(super) fn get(
        &self,
        id: IntegrationId,
        changed_at: Timestamp,
        make: impl FnOnce() -> Result<RegistryClient, RegistryError>,
    ) -> Result<RegistryClient, RegistryError> {
        let key = (id, changed_at);
        if let Some(client) = self.0.get(&key) {
            return Ok(client);
        }
        let client = make()?;
        self.0.insert(key, client.clone());
        Ok(client)
    }
}
