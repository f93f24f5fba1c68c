//! How one registry is reached.

use std::time::Duration;

use plimsoll_core::deployment::spec::ImageSource;
use reqwest::Url;

use crate::{
    auth::Credentials,
    error::RegistryError,
    outbound::{OutboundConfig, PlainHttp},
    retry::RetryPolicy,
};

/// How one registry is reached. Begin with [`RegistryConfig::new`] and change what differs.
#[derive(Clone)]
pub struct RegistryConfig {
    /// `https://host[:port]`.
    pub url: Url,
    /// Who we are there.
    pub credentials: Credentials,
    /// Network policy, private CA, plain HTTP, proxy, connection timeouts.
    pub outbound: OutboundConfig,
    /// How often a call is tried.
    pub retry: RetryPolicy,
    /// How long calls may take.
    pub timeouts: Timeouts,
    /// How much is taken.
    pub limits: Limits,
}

/// How long calls to a registry may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// One try of a call, sign-in included.
    pub call: Duration,
    /// A whole blob.
    pub blob: Duration,
}

/// How much is taken from a registry.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a manifest (the specification lets registries refuse more than 4 MiB).
    pub manifest_bytes: u64,
    /// Bytes of an image's configuration.
    pub config_bytes: u64,
    /// Bytes of one page of a list.
    pub page_bytes: u64,
    /// Pages of one list.
    pub pages: u32,
    /// Tags of one repository.
    pub tags: usize,
    /// Bytes of a blob whose size isn't known.
    pub blob_bytes: u64,
    /// Calls at once; more wait.
    pub concurrency: usize,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { call: Duration::from_secs(30), blob: Duration::from_hours(1) }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            manifest_bytes: 4 << 20,
            config_bytes: 8 << 20,
            page_bytes: 8 << 20,
            pages: 1000,
            tags: 200_000,
            blob_bytes: 64 << 30,
            concurrency: 8,
        }
    }
}

impl RegistryConfig {
    /// The registry at `url` (`https://host[:port]`; without a scheme https is meant), anonymous, with
    /// the usual bounds.
    pub fn new(url: &str) -> Result<Self, RegistryError> {
        Ok(Self {
            url: base(url)?,
            credentials: Credentials::Anonymous,
            outbound: OutboundConfig::default(),
            retry: RetryPolicy::default(),
            timeouts: Timeouts::default(),
            limits: Limits::default(),
        })
    }

    /// The registry that a target pulls `image` from, anonymous.
    pub fn of_image(image: &ImageSource) -> Result<Self, RegistryError> {
        let scheme = if image.insecure { "http" } else { "https" };
        let mut config = Self::new(&format!("{scheme}://{}", image.registry))?;
        if image.insecure {
            config.outbound.plain_http = PlainHttp::Allowed;
        }
        Ok(config)
    }
}

/// Docker Hub's registry, which its short names don't name.
pub(crate) const DOCKER_HUB: &str = "registry-1.docker.io";

fn base(text: &str) -> Result<Url, RegistryError> {
    let refuse = |why: &str| {
        RegistryError::Configuration(format!("{text:?} is no registry's address: {why}; give https://host[:port]"))
    };
    let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    let mut url = Url::parse(&whole).map_err(|cause| refuse(&cause.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse("only http and https are spoken"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RegistryError::Configuration(
            "a registry's address must not hold credentials; give user and password in their own fields".to_owned(),
        ));
    }
    if url.query().is_some() || url.fragment().is_some() || !matches!(url.path(), "/" | "/v2" | "/v2/" | "/v1/") {
        return Err(refuse("it must end after the host, since every registry answers at /v2/"));
    }
    url.set_path("/");
    if matches!(url.host_str(), Some("docker.io" | "index.docker.io" | "hub.docker.com")) {
        url.set_host(Some(DOCKER_HUB)).map_err(|cause| refuse(&cause.to_string()))?;
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (given, meant) in [
            ("https://r.example", "https://r.example/"),
            ("r.example:5000", "https://r.example:5000/"),
            ("http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/"),
            ("docker.io", "https://registry-1.docker.io/"),
            ("https://index.docker.io/v1/", "https://registry-1.docker.io/"),
            ("https://[2001:4860::1]:443", "https://[2001:4860::1]/"),
        ] {
            assert_eq!(RegistryConfig::new(given).unwrap().url.as_str(), meant);
        }
        for bad in ["", "https://", "ftp://x", "https://u:p@x", "https://x/shop", "https://x/?a", "https://x/#a", "a b"]
        {
            let error = RegistryConfig::new(bad).err().unwrap_or_else(|| panic!("{bad}"));
            assert!(!error.to_string().contains("u:p"), "{error}");
        }
    }
}
