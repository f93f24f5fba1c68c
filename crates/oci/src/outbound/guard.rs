//! Checks each address between its resolution and the connection, so that a name cannot change its mind
//! in between: the connection is made to the very addresses that were checked.

use std::{
    collections::HashSet,
    future::Future,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};

use super::{OutboundConfig, OutboundError, PlainHttp, ProxyUse};
use crate::network::{NetworkPolicy, Refusal};

/// Turns a name into addresses.
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `host`.
    fn lookup(&self, host: String) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemLookup;

impl Lookup for SystemLookup {
    fn lookup(&self, host: String) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect()) })
    }
}

/// The wall itself.
pub(super) struct Guard {
    policy: NetworkPolicy,
    plain_http: PlainHttp,
    timeout: Duration,
    lookup: Arc<dyn Lookup>,
    proxies: Option<Matcher>,
    /// Hosts of proxies seen; they come from the operator's environment, so they are few and trusted.
    proxy_hosts: Mutex<HashSet<String>>,
}

impl Guard {
    pub(super) fn new(config: &OutboundConfig) -> Self {
        let proxies = match config.proxy {
            ProxyUse::Environment => Some(Matcher::from_system()),
            ProxyUse::Direct => None,
        };
        Self {
            policy: config.network.clone(),
            plain_http: config.plain_http,
            timeout: config.connect_timeout,
            lookup: Arc::clone(&config.lookup),
            proxies,
            proxy_hosts: Mutex::default(),
        }
    }

    /// Whether a request may go to `url`. Names that are connected directly are judged by [`Resolver`],
    /// at the connection; literal addresses never reach a resolver, and a proxied name reaches the
    /// proxy's, so both are judged here.
    pub(super) async fn check(&self, url: &Url) -> Result<(), OutboundError> {
        self.check_form(url)?;
        let name = match url.host() {
            None => return Err(OutboundError::Invalid(format!("{url} has no host"))),
            Some(url::Host::Ipv4(address)) => return self.judge("", address.into()),
            Some(url::Host::Ipv6(address)) => return self.judge("", address.into()),
            Some(url::Host::Domain(name)) => name,
        };
        let proxied = self.note_proxy(url);
        if !proxied && !self.is_proxy(name) {
            return Ok(());
        }
        match self.resolve(name).await {
            Ok(addresses) => addresses.into_iter().try_for_each(|address| self.judge(name, address)),
            // Only the proxy knows this name: then its own rules hold.
            Err(_) if proxied => Ok(()),
            Err(cause) => Err(OutboundError::unresolved(url, &cause.to_string())),
        }
    }

    /// The addresses that a call to `url` would reach, all of them allowed; for telling what a name is.
    pub(super) async fn addresses(&self, url: &Url) -> Result<Vec<IpAddr>, OutboundError> {
        self.check(url).await?;
        match url.host() {
            None => Ok(Vec::new()),
            Some(url::Host::Ipv4(address)) => Ok(vec![address.into()]),
            Some(url::Host::Ipv6(address)) => Ok(vec![address.into()]),
            Some(url::Host::Domain(_)) if self.note_proxy(url) => Ok(Vec::new()),
            Some(url::Host::Domain(name)) => {
                let found = self.resolve(name).await;
                let addresses = found.map_err(|cause| OutboundError::unresolved(url, &cause.to_string()))?;
                addresses.iter().try_for_each(|address| self.judge(name, *address))?;
                Ok(addresses)
            }
        }
    }

    fn check_form(&self, url: &Url) -> Result<(), OutboundError> {
        match (url.scheme(), self.plain_http) {
            ("https", _) | ("http", PlainHttp::Allowed) => {}
            ("http", PlainHttp::Refused) => return Err(OutboundError::plain_http(url)),
            (other, _) => return Err(OutboundError::Invalid(format!("{other}: is not a scheme for calls; use https"))),
        }
        if url.username().is_empty() && url.password().is_none() {
            return Ok(());
        }
        Err(OutboundError::Invalid("a URL must not hold credentials; give them in their own fields".to_owned()))
    }

    fn judge(&self, host: &str, address: IpAddr) -> Result<(), OutboundError> {
        self.policy.check(address).map_err(|refusal| OutboundError::Refused(refusal.of_host(host)))
    }

    /// Whether `url` is reached through a proxy, whose host is then trusted.
    fn note_proxy(&self, url: &Url) -> bool {
        let uri = url.as_str().parse::<http::Uri>().ok();
        let Some(proxy) = uri.and_then(|uri| self.proxies.as_ref()?.intercept(&uri)) else { return false };
        if let Some(host) = proxy.uri().host() {
            self.proxy_hosts.lock().unwrap_or_else(PoisonError::into_inner).insert(host.to_ascii_lowercase());
        }
        true
    }

    fn is_proxy(&self, name: &str) -> bool {
        self.proxy_hosts.lock().unwrap_or_else(PoisonError::into_inner).contains(&name.to_ascii_lowercase())
    }

    async fn resolve(&self, name: &str) -> std::io::Result<Vec<IpAddr>> {
        let found = tokio::time::timeout(self.timeout, self.lookup.lookup(name.to_owned())).await;
        let addresses = found.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        if addresses.is_empty() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }

    /// The addresses of `name`, all of them allowed.
    async fn resolve_checked(&self, name: &str) -> Result<Vec<IpAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let addresses = self.resolve(name).await?;
        if !self.is_proxy(name) {
            for address in &addresses {
                self.policy.check(*address).map_err(|refusal: Refusal| refusal.of_host(name))?;
            }
        }
        Ok(addresses)
    }
}

/// The guard as the client's resolver.
pub(super) struct Resolver(pub(super) Arc<Guard>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = guard.resolve_checked(name.as_str()).await?;
            let sockets = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(sockets.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `inner.example` is on loopback, `proxy.example` too; no other name is known here.
    struct Names;

    impl Lookup for Names {
        fn lookup(&self, host: String) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> {
            Box::pin(async move {
                match host.to_ascii_lowercase().as_str() {
                    "inner.example" | "proxy.example" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
                    _ => Err(std::io::Error::other("no such name")),
                }
            })
        }
    }

    fn behind_a_proxy() -> Guard {
        let config = OutboundConfig {
            plain_http: PlainHttp::Allowed,
            proxy: ProxyUse::Direct,
            lookup: Arc::new(Names),
            ..OutboundConfig::default()
        };
        let proxies = Matcher::builder().all("http://proxy.example:3128").no("direct.example,proxy.example").build();
        Guard { proxies: Some(proxies), ..Guard::new(&config) }
    }

    async fn check(guard: &Guard, url: &str) -> Result<(), OutboundError> {
        guard.check(&Url::parse(url).unwrap()).await
    }

    #[tokio::test]
    async fn a_proxy_is_trusted_and_what_lies_behind_it_is_not() {
        let guard = behind_a_proxy();
        // Only the proxy knows this name.
        assert_eq!(check(&guard, "https://elsewhere.example/").await, Ok(()));
        for refused in ["https://inner.example/", "https://127.0.0.1/", "https://[::1]/", "http://169.254.169.254/"] {
            assert!(matches!(check(&guard, refused).await, Err(OutboundError::Refused(_))), "{refused}");
        }
        // The connection to the proxy itself may be made, under its name in any case.
        assert_eq!(guard.resolve_checked("Proxy.Example").await.unwrap(), [IpAddr::from([127, 0, 0, 1])]);
        assert!(guard.resolve_checked("inner.example").await.is_err());
    }

    #[tokio::test]
    async fn the_proxy_is_no_target() {
        let guard = behind_a_proxy();
        check(&guard, "https://elsewhere.example/").await.unwrap();
        let own = check(&guard, "http://proxy.example:9090/").await;
        assert!(matches!(own, Err(OutboundError::Refused(_))), "{own:?}");
    }
}
