//! From a stored integration to the registry that it leads to.

use plimsoll_authority::secret::SecretString;
use plimsoll_core::{
    Error, ErrorCode, Result,
    id::{IntegrationId, TenantId},
    integration::Integration,
};
use plimsoll_store::{Scope, integration::secrets, resource};

use super::Registry;
use crate::{
    App,
    integration::{
        Kind,
        oci_registry::{OciRegistryConfig, PASSWORD},
    },
};

/// Who an agent is for a registry, for as long as one task runs.
#[derive(Clone, Debug)]
pub struct RegistryCredentials {
    /// The account.
    pub username: String,
    /// Its password or token.
    pub password: SecretString,
}

impl App {
    /// The registry of an integration, whether it is enabled or not.
    pub(crate) async fn registry(&self, tenant: TenantId, id: IntegrationId) -> Result<(Integration, Registry)> {
        let (integration, secrets) = self
            .store
            .read(Scope::Tenant(tenant), "registry_access", move |tx| {
                Ok((resource::get::<Integration>(tx, id)?, secrets(tx, id)?))
            })
            .await?;
        let config = registry_config(&integration)?;
        let password = match secrets.iter().find(|secret| secret.name == PASSWORD) {
            Some(secret) => Some(self.open_secret(tenant, id, secret).await?),
            None => None,
        };
        let registry = Registry { id, changed_at: integration.updated_at, config, password };
        Ok((integration, registry))
    }

    /// The registry of an integration that is enabled.
    pub(crate) async fn enabled_registry(&self, tenant: TenantId, id: IntegrationId) -> Result<Registry> {
        let (integration, registry) = self.registry(tenant, id).await?;
        check_enabled(&integration)?;
        Ok(registry)
    }

    /// What an agent needs to pull from the registry of an integration; `None` where pulls are anonymous.
    pub async fn registry_credentials(
        &self,
        tenant: TenantId,
        id: IntegrationId,
    ) -> Result<Option<RegistryCredentials>> {
        let (_, registry) = self.registry(tenant, id).await?;
        let both = registry.config.username.zip(registry.password);
        Ok(both.map(|(username, password)| RegistryCredentials { username, password }))
    }
}

/// 409 for an integration that is switched off.
pub(crate) fn check_enabled(integration: &Integration) -> Result<()> {
    if integration.enabled {
        return Ok(());
    }
    let message = format!("the integration {:?} is disabled; enable it first", integration.name);
    Err(Error::new(ErrorCode::StateConflict, message)
        .details(serde_json::json!({ "state": "disabled", "allowed": ["enable"] })))
}

/// The configuration of an integration that must be a registry.
pub(crate) fn registry_config(integration: &Integration) -> Result<OciRegistryConfig> {
    match Kind::find(&integration.type_id) {
        Some(Kind::OciRegistry) => OciRegistryConfig::read(&integration.config),
        None => Err(Error::new(
            ErrorCode::RuleViolated,
            format!("the integration {:?} is of type {}, not a registry", integration.name, integration.type_id),
        )),
    }
}
