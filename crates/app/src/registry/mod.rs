//! Registries, behind a trait: what the use cases ask of one, and how a stored integration leads there.

pub(crate) mod access;
mod cache;
mod oci;

use std::fmt;

use futures_util::future::BoxFuture;
use plimsoll_authority::secret::SecretString;
use plimsoll_core::{Timestamp, id::IntegrationId, integration::Check};
use plimsoll_oci::{
    CatalogPage, ManifestHead, NetworkPolicy, ProxyUse, Reference, RegistryError, Repository, ResolvedImage,
};

pub use access::RegistryCredentials;
pub(crate) use access::check_enabled;
pub use oci::OciGateway;

use crate::integration::oci_registry::OciRegistryConfig;

/// Where outbound calls may go; from the server's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundPolicy {
    /// Which addresses may be reached.
    pub network: NetworkPolicy,
    /// Whether the usual proxy variables count.
    pub proxy: ProxyUse,
}

impl Default for OutboundPolicy {
    fn default() -> Self {
        Self { network: NetworkPolicy::default(), proxy: ProxyUse::Environment }
    }
}

/// A registry as one integration reaches it, its secret opened. Lives as long as a call.
#[derive(Clone, Debug)]
pub struct Registry {
    /// The integration.
    pub id: IntegrationId,
    /// When its configuration or secrets last changed: an older client of it is not used any more.
    pub changed_at: Timestamp,
    /// Its configuration.
    pub config: OciRegistryConfig,
    /// The user's password or token.
    pub password: Option<SecretString>,
}

/// What is asked of registries. Each call is bounded in time and size, and repeated where that is safe.
pub trait RegistryGateway: fmt::Debug + Send + Sync + 'static {
    /// Tests the connection step by step, with a connection of its own; the first failure is the last check.
    fn test<'a>(
        &'a self,
        registry: &'a Registry,
        repository: Option<&'a Repository>,
    ) -> BoxFuture<'a, Result<Vec<Check>, RegistryError>>;

    /// Repositories whose name contains `query`, from `cursor` on.
    fn repositories<'a>(
        &'a self,
        registry: &'a Registry,
        cursor: Option<&'a str>,
        query: Option<&'a str>,
    ) -> BoxFuture<'a, Result<CatalogPage, RegistryError>>;

    /// All tags of a repository, each once.
    fn tags<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
    ) -> BoxFuture<'a, Result<Vec<String>, RegistryError>>;

    /// What a tag or digest is now.
    fn head<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ManifestHead, RegistryError>>;

    /// What a tag or digest is, down to each platform's configuration.
    fn resolve<'a>(
        &'a self,
        registry: &'a Registry,
        repository: &'a Repository,
        reference: &'a Reference,
    ) -> BoxFuture<'a, Result<ResolvedImage, RegistryError>>;
}
