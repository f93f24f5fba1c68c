//! The client of one registry: how a call is signed in, bounded, tried again and judged. What can be
//! asked for is in the files beside this one.

mod attempt;
mod blobs;
mod catalog;
mod manifests;
mod page;
mod ping;
mod resolve;
mod tags;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use plimsoll_core::{Timestamp, context::Context};
use reqwest::Url;
use tokio::sync::Semaphore;

pub use catalog::CatalogPage;
pub use manifests::ManifestHead;
pub use resolve::ResolvedImage;
pub use tags::TagsPage;

use crate::{
    auth::{Authenticator, Scope},
    config::{DOCKER_HUB, Limits, RegistryConfig, Timeouts},
    error::{RegistryError, Subject},
    name::Repository,
    outbound::{Outbound, host_of},
    retry::RetryPolicy,
};

/// A client of one registry. Cheap to clone; connections, tokens and the registry's rate limit are shared.
#[derive(Clone)]
pub struct RegistryClient(Arc<Inner>);

struct Inner {
    base: Url,
    host: String,
    outbound: Outbound,
    auth: Authenticator,
    retry: RetryPolicy,
    timeouts: Timeouts,
    limits: Limits,
    permits: Semaphore,
    /// Before this instant the registry wants no calls (429).
    paused_until: Mutex<Timestamp>,
    context: Context,
}

/// One call: what is asked for, and within which bounds.
struct Call {
    method: Method,
    url: Url,
    accept: &'static str,
    scope: Scope,
    what: Subject,
    limit: u64,
}

/// A call's successful answer.
struct Answer {
    headers: HeaderMap,
    body: Bytes,
}

impl RegistryClient {
    /// A client after `config`. Connects to nothing yet.
    pub fn new(config: RegistryConfig, context: Context) -> Result<Self, RegistryError> {
        let auth = Authenticator::new(config.url.clone(), &config.credentials, context.clone())?;
        Ok(Self(Arc::new(Inner {
            host: host_of(&config.url),
            base: config.url,
            outbound: Outbound::new(config.outbound)?,
            auth,
            retry: config.retry,
            timeouts: config.timeouts,
            limits: config.limits,
            permits: Semaphore::new(config.limits.concurrency.max(1)),
            paused_until: Mutex::new(Timestamp::from_micros(0)),
            context,
        })))
    }

    /// `host[:port]`.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.0.host
    }

    /// How long the registry wants no calls, after a 429; zero if it wants them now.
    #[must_use]
    pub fn paused_for(&self) -> Duration {
        self.0.paused_for()
    }
}

impl std::fmt::Debug for RegistryClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RegistryClient({})", self.0.host)
    }
}

impl Inner {
    /// `/v2/<repository>/<rest>`. Names were checked, so they need no escaping.
    fn url_of(&self, repository: &Repository, rest: &str) -> Url {
        let official = self.base.host_str() == Some(DOCKER_HUB) && !repository.as_str().contains('/');
        let prefix = if official { "library/" } else { "" };
        self.url(&format!("/v2/{prefix}{repository}/{rest}"))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    fn bad(&self, what: &Subject, problem: impl Into<String>) -> RegistryError {
        RegistryError::BadAnswer { host: self.host.clone(), what: what.clone(), problem: problem.into() }
    }

    fn paused_for(&self) -> Duration {
        let until = *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_micros(u64::try_from(until.micros_since(self.context.now())).unwrap_or(0))
    }

    fn pause(&self, wait: Duration) {
        let until = self.context.now().plus_seconds(wait.as_secs().min(3600) as i64);
        let mut paused = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        *paused = until.max(*paused);
    }

    /// A number in 0..1.
    fn jitter(&self) -> f64 {
        f64::from(u32::from_le_bytes(self.context.random::<4>())) / f64::from(u32::MAX)
    }
}
