//! What a browser on the sign-in page shows again: a random cookie, and in each form a value made of it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, header};
use plimsoll_core::{Digest, context::Context};

/// Whether the browser reaches us by TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tls,
    Plain,
}

impl Transport {
    /// Of the server whose public URL this is.
    pub(super) fn of(url: &str) -> Self {
        if url.starts_with("https://") { Self::Tls } else { Self::Plain }
    }

    /// By TLS nobody else on the host or its subdomains can set the cookie.
    const fn name(self) -> &'static str {
        match self {
            Self::Tls => "__Host-plimsoll-sign-in",
            Self::Plain => "plimsoll-sign-in",
        }
    }
}

/// One browser.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    secret: String,
    transport: Transport,
}

impl Browser {
    /// One that has shown nothing yet, or that signed in just now.
    pub(super) fn fresh(context: &Context, transport: Transport) -> Self {
        Self { secret: URL_SAFE_NO_PAD.encode(context.random::<32>()), transport }
    }

    /// The one that shows a cookie of ours.
    pub(super) fn known(headers: &HeaderMap, transport: Transport) -> Option<Self> {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, secret) = pairs.find(|(name, _)| *name == transport.name())?;
        let good = URL_SAFE_NO_PAD.decode(secret).is_ok_and(|bytes| bytes.len() == 32);
        good.then(|| Self { secret: secret.to_owned(), transport })
    }

    /// By what the server remembers it.
    pub(super) fn digest(&self) -> Digest {
        Digest::of(format!("plimsoll browser\0{}", self.secret).as_bytes())
    }

    /// What each form carries: another site can make the browser send the cookie, and can't know this.
    pub(super) fn csrf(&self) -> String {
        let digest = Digest::of(format!("plimsoll csrf\0{}", self.secret).as_bytes());
        URL_SAFE_NO_PAD.encode(digest.as_bytes())
    }

    /// The `Set-Cookie` header.
    pub(super) fn set_cookie(&self) -> String {
        let secure = match self.transport {
            Transport::Tls => "; Secure",
            Transport::Plain => "",
        };
        format!("{}={}; Path=/; HttpOnly; SameSite=Lax; Max-Age=3600{secure}", self.transport.name(), self.secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_its_cookie_and_others_cannot_forge_its_forms() {
        let context = Context::system();
        let browser = Browser::fresh(&context, Transport::Plain);
        let mut headers = HeaderMap::new();
        let shown = format!("a=b; {}", browser.set_cookie().split(';').next().unwrap());
        headers.insert(header::COOKIE, shown.parse().unwrap());
        let again = Browser::known(&headers, Transport::Plain).unwrap();
        assert_eq!((again.digest(), again.csrf()), (browser.digest(), browser.csrf()));
        assert_ne!(Browser::fresh(&context, Transport::Plain).csrf(), browser.csrf());
        assert!(Browser::known(&headers, Transport::Tls).is_none());
        headers.insert(header::COOKIE, "plimsoll-sign-in=short".parse().unwrap());
        assert!(Browser::known(&headers, Transport::Plain).is_none());
    }

    #[test]
    fn by_tls_the_cookie_is_the_hosts_alone() {
        let set = Browser::fresh(&Context::system(), Transport::of("https://plimsoll.example")).set_cookie();
        assert!(set.starts_with("__Host-") && set.contains("; Secure") && set.contains("Path=/;"), "{set}");
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax"));
    }
}
