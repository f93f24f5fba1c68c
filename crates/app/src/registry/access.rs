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

    /// What an agent needs to pull from `host`, the registry of an integration or a mirror of it; `None`
    /// where pulls are anonymous. A mirror that the integration does not trust is told nothing.
    pub async fn registry_credentials(
        &self,
        tenant: TenantId,
        id: IntegrationId,
        host: &str,
    ) -> Result<Option<RegistryCredentials>> {
        let (integration, registry) = self.registry(tenant, id).await?;
        let known = registry.config.as_engines_see_it()?;
        let both = registry.config.username.zip(registry.password);
        let Some((username, password)) = both else { return Ok(None) };
        if !known.gives_credentials_to(host) {
            return Err(untrusted(&integration.name, host));
        }
        Ok(Some(RegistryCredentials { username, password }))
    }
}

fn untrusted(integration: &str, host: &str) -> Error {
    let message = format!(
        "the integration {integration:?} does not trust {host} with its password; list it in trustedMirrors if the mirror is yours"
    );
    Error::new(ErrorCode::PermissionDenied, message)
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
