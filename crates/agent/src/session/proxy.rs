//! Which proxy the environment names for the task stream: `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.

use base64::{Engine, engine::general_purpose::STANDARD};
use url::Url;

/// A proxy that speaks HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The value of `Proxy-Authorization`.
    pub authorization: Option<String>,
}

/// The proxy for `url`, if the environment names one.
#[must_use]
pub fn proxy_for(url: &Url) -> Option<Proxy> {
    let read = |name: &str| std::env::var(name).or_else(|_| std::env::var(name.to_lowercase())).ok();
    let name = if url.scheme() == "https" { "HTTPS_PROXY" } else { "HTTP_PROXY" };
    choose(url, &read(name)?, &read("NO_PROXY").unwrap_or_default())
}

fn choose(url: &Url, proxy: &str, exceptions: &str) -> Option<Proxy> {
    let host = url.host_str()?;
    let excepted = exceptions.split(',').map(str::trim).filter(|one| !one.is_empty()).any(|one| {
        let one = one.trim_start_matches('.');
        one == "*" || host == one || host.strip_suffix(one).is_some_and(|front| front.ends_with('.'))
    });
    if excepted || proxy.is_empty() {
        return None;
    }
    let text = if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") };
    let proxy = Url::parse(&text).ok()?;
    let authorization = (!proxy.username().is_empty()).then(|| {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", proxy.username(), proxy.password().unwrap_or_default())))
    });
    Some(Proxy {
        host: proxy.host_str()?.to_owned(),
        port: proxy.port_or_known_default().unwrap_or(3128),
        authorization,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_are_whole_names() {
        let chosen = |host: &str, exceptions: &str| {
            choose(&Url::parse(&format!("https://{host}/")).unwrap(), "http://u:p@proxy:8080", exceptions)
        };
        let proxy = chosen("plimsoll.example", "").unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy", 8080));
        assert_eq!(proxy.authorization.as_deref(), Some("Basic dTpw"));
        for exceptions in ["*", "example", ".example", "a.test, plimsoll.example"] {
            assert_eq!(chosen("plimsoll.example", exceptions), None, "{exceptions}");
        }
        assert!(chosen("notexample", "example").is_some());
    }
}
