//! A client of OCI registries (OCI Distribution specification 1.1), and the guarded HTTP client under it.
//!
//! ```no_run
//! # async fn example() -> plimsoll_core::Result<()> {
//! use plimsoll_core::context::Context;
//! use plimsoll_oci::{RegistryClient, RegistryConfig};
//!
//! let client = RegistryClient::new(RegistryConfig::new("https://registry.example")?, Context::system())?;
//! let image = client.resolve(&"shop/api".parse()?, &"2.4.1".parse()?).await?;
//! println!("{} on {} platforms", image.digest, image.platforms.len());
//! # Ok(())
//! # }
//! ```

mod auth;
mod client;
mod config;
mod error;
mod image_config;
mod manifest;
mod media;
mod name;
pub mod network;
pub mod outbound;
mod retry;

pub use auth::Credentials;
pub use client::{CatalogPage, ManifestHead, RegistryClient, ResolvedImage, TagsPage};
pub use config::{Limits, RegistryConfig, Timeouts};
pub use error::{Mismatch, RegistryError, Subject};
pub use image_config::{ImageConfig, ImageProcess, RootFs};
pub use manifest::{Descriptor, ImageManifest, Index, Manifest, ManifestBody};
pub use media::{LayerFormat, ManifestType};
pub use name::{Reference, Repository, Tag};
pub use network::{NetworkPolicy, Refusal};
pub use outbound::{Outbound, OutboundConfig, PlainHttp, ProxyUse};
pub use retry::RetryPolicy;
