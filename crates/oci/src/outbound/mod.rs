//! The client for calls to addresses that people configure: every address is checked before a byte is
//! sent, redirects are followed by hand and checked again, and nothing secret crosses to another origin.

mod body;
mod error;
mod guard;
mod tls;

use std::{net::IpAddr, sync::Arc, time::Duration};

use reqwest::{
    Method, Request, Response, StatusCode, Url,
    header::{ACCEPT, HeaderMap, LOCATION, RANGE, USER_AGENT},
};

pub(crate) use body::host_of;
pub use body::read_limited;
pub use error::OutboundError;
pub use guard::{Lookup, SystemLookup};

use crate::network::NetworkPolicy;
use guard::Guard;

/// How calls leave this process.
#[derive(Clone)]
pub struct OutboundConfig {
    /// Which addresses may be reached.
    pub network: NetworkPolicy,
    /// Whether a URL may be plain HTTP.
    pub plain_http: PlainHttp,
    /// Certificates in PEM that are trusted beside the system's: a private CA.
    pub ca_pem: Option<String>,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` count.
    pub proxy: ProxyUse,
    /// Longest time for resolving a name, and for connecting with TLS.
    pub connect_timeout: Duration,
    /// Longest silence while an answer arrives.
    pub read_timeout: Duration,
    /// How names become addresses.
    pub lookup: Arc<dyn Lookup>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            network: NetworkPolicy::default(),
            plain_http: PlainHttp::Refused,
            ca_pem: None,
            proxy: ProxyUse::Environment,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(15),
            lookup: Arc::new(SystemLookup),
        }
    }
}

/// Whether calls may go unencrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainHttp {
    /// Only https.
    Refused,
    /// http too, since an operator said `insecure`.
    Allowed,
}

/// Whether calls go through a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyUse {
    /// As the usual environment variables say. The proxy is trusted: it resolves names by itself.
    Environment,
    /// Never.
    Direct,
}

/// The most redirects that one call follows.
const MAX_REDIRECTS: usize = 5;

/// A guarded HTTP client. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Outbound {
    client: reqwest::Client,
    guard: Arc<Guard>,
}

impl Outbound {
    /// A client after `config`. Fails if the certificates can't be used.
    pub fn new(config: OutboundConfig) -> Result<Self, OutboundError> {
        let guard = Arc::new(Guard::new(&config));
        let client = tls::build(&config, || {
            let builder = reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .retry(reqwest::retry::never())
                .connect_timeout(config.connect_timeout)
                .read_timeout(config.read_timeout)
                .pool_idle_timeout(Duration::from_secs(30))
                .pool_max_idle_per_host(8)
                .dns_resolver(guard::Resolver(Arc::clone(&guard)));
            match config.proxy {
                ProxyUse::Environment => builder,
                ProxyUse::Direct => builder.no_proxy(),
            }
        })?;
        Ok(Self { client, guard })
    }

    /// Sends `request` and follows redirects of GET and HEAD. A status, whatever it is, is an answer.
    ///
    /// A redirect to another origin carries only `Accept`, `Range` and `User-Agent` along. The caller
    /// bounds the whole call in time, and the body with [`read_limited`].
    pub async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        let (method, mut url, mut headers) =
            (request.method().clone(), request.url().clone(), request.headers().clone());
        let mut response = self.hop(request).await?;
        for _ in 0..MAX_REDIRECTS {
            let Some(next) = redirect(&method, &url, &response)? else { return Ok(response) };
            if next.origin() != url.origin() {
                headers = harmless(&headers);
            }
            let mut request = Request::new(method.clone(), next.clone());
            headers.clone_into(request.headers_mut());
            url = next;
            response = self.hop(request).await?;
        }
        match redirect(&method, &url, &response)? {
            None => Ok(response),
            Some(_) => Err(OutboundError::redirect(&url, "redirects more than five times")),
        }
    }

    /// The addresses that a call to `url` would reach; empty where a proxy resolves the name.
    pub async fn resolve(&self, url: &Url) -> Result<Vec<IpAddr>, OutboundError> {
        self.guard.addresses(url).await
    }

    async fn hop(&self, request: Request) -> Result<Response, OutboundError> {
        let url = request.url().clone();
        self.guard.check(&url).await?;
        self.client.execute(request).await.map_err(|cause| OutboundError::of(&url, &cause))
    }
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Outbound")
    }
}

/// Where `response` sends a safe call, if anywhere.
fn redirect(method: &Method, url: &Url, response: &Response) -> Result<Option<Url>, OutboundError> {
    let moved = matches!(
        response.status(),
        StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT
    );
    if !moved || !(method == Method::GET || method == Method::HEAD) {
        return Ok(None);
    }
    let Some(location) = response.headers().get(LOCATION) else { return Ok(None) };
    let next = location.to_str().ok().and_then(|text| url.join(text).ok());
    next.map(Some).ok_or_else(|| OutboundError::redirect(url, "redirects to something that is no URL"))
}

fn harmless(headers: &HeaderMap) -> HeaderMap {
    [ACCEPT, RANGE, USER_AGENT]
        .into_iter()
        .filter_map(|name| headers.get(&name).cloned().map(|value| (name, value)))
        .collect()
}
