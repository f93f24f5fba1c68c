//! Registries as the OCI distribution specification has them.

use std::time::Duration;

use futures_util::future::BoxFuture;
use plimsoll_core::{context::Context, integration::Check};
use plimsoll_oci::{
    CatalogPage, Credentials, ManifestHead, OutboundConfig, PlainHttp, Reference, RegistryClient, RegistryConfig,
    RegistryError, Repository, ResolvedImage, RetryPolicy,
};

use super::{OutboundPolicy, Registry, RegistryGateway, cache::Clients};

/// One step of a connection's test: a person waits for it.
const TEST_STEP: Duration = Duration::from_secs(8);

/// Talks to real registries.
#[derive(Debug)]
pub struct OciGateway {
    outbound: OutboundPolicy,
    context: Context,
    clients: Clients,
}

impl OciGateway {
    /// A gateway that goes where `outbound` allows.
    #[must_use]
    pub fn new(outbound: OutboundPolicy, context: Context) -> Self {
        Self { outbound, context, clients: Clients::new() }
    }

    fn config(&self, registry: &Registry) -> Result<RegistryConfig, RegistryError> {
        let mut config = RegistryConfig::new(&registry.config.url)?;
        config.credentials = match (&registry.config.username, &registry.password) {
            (Some(user), Some(password)) => Credentials::Basic { user: user.clone(), password: password.clone() },
            (Some(_), None) | (None, Some(_) | None) => Credentials::Anonymous,
        };
        config.outbound = OutboundConfig {
            network: self.outbound.network.clone(),
            proxy: self.outbound.proxy,
            plain_http: if registry.config.is_plain_http() { PlainHttp::Allowed } else { PlainHttp::Refused },
            ca_pem: registry.config.ca_pem.clone(),
            ..OutboundConfig::default()
        };
        Ok(config)
    }

    fn client(&self, registry: &Registry) -> Result<RegistryClient, RegistryError> {
        self.clients
            .get(registry.id, registry.changed_at, || RegistryClient::new(self.config(registry)?, self.context.clone()))
    }
}

impl RegistryGateway for OciGateway {
    fn test<'a>(
        &'a self,
        registry: &'a Registry,
        repository: Option<&'a Repository>,
    ) -> BoxFuture<'a, Result<Vec<Check>, RegistryError>> {
        Box::pin(async move {
            let mut config = self.config(registry)?;
            config.retry = RetryPolicy::once();
            config.timeouts.call = TEST_STEP;
            Ok(RegistryClient::new(config, self.context.clone())?.ping(repository).await)
        })
    }

    fn repositories<'a>(
        &'a self,
        registry: &'a Registry,
        cursor: Option<&'a str>,
        query: Option<&'a str>,
    ) -> BoxFuture<'a, Result<CatalogPage, RegistryError>> {
        Box::pin(async move { self.client(registry)?.catalog(cursor, query).await })
    }

    fn tags<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Vec<String>, RegistryError>> {
        Box::pin(async move { self.client(registry)?.list_tags(repository).await })
    }

    fn head<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, RegistryError>> {
        Box::pin(async move { self.client(registry)?.head_manifest(repository, reference).await })
    }

    fn resolve<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ResolvedImage, RegistryError>> {
        Box::pin(async move { self.client(registry)?.resolve(repository, reference).await })
    }
}
