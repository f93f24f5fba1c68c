//! What all tests share: clients within loopback, a clock that is set by hand.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};
use std::time::Duration;

use plimsoll_core::{
    Timestamp,
    context::{Ambient, Context},
};
use plimsoll_oci::{
    Credentials, NetworkPolicy, PlainHttp, ProxyUse, Reference, RegistryClient, RegistryConfig, Repository, RetryPolicy,
};

/// A configuration that may reach this machine, in plain HTTP too.
pub fn config(url: &str) -> RegistryConfig {
    let mut config = RegistryConfig::new(url).unwrap();
    config.outbound.network = NetworkPolicy::with_loopback();
    config.outbound.plain_http = PlainHttp::Allowed;
    config.outbound.proxy = ProxyUse::Direct;
    config.retry = RetryPolicy {
        attempts: 4,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(5),
        budget: Duration::from_secs(20),
    };
    config
}

pub fn client(url: &str) -> RegistryClient {
    RegistryClient::new(config(url), Context::system()).unwrap()
}

pub fn client_of(config: RegistryConfig) -> RegistryClient {
    RegistryClient::new(config, Context::system()).unwrap()
}

pub fn user(user: &str, password: &str) -> Credentials {
    Credentials::Basic { user: user.to_owned(), password: password.to_owned().into() }
}

pub fn repository(name: &str) -> Repository {
    name.parse().unwrap()
}

pub fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

/// An address of this machine beside the usual one, for servers that a policy allows alone.
pub const NINTH: &str = "127.0.0.9";

/// A policy that allows [`NINTH`] and nothing else of this machine.
pub fn only_ninth() -> NetworkPolicy {
    NetworkPolicy::try_from(vec![NINTH.to_owned()]).unwrap()
}

/// A clock that moves only when told to.
#[derive(Clone)]
pub struct Clock(Arc<AtomicI64>);

impl Clock {
    pub fn new() -> Self {
        Self(Arc::new(AtomicI64::new(1_800_000_000)))
    }

    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }

    pub fn now(&self) -> Timestamp {
        Timestamp::from_seconds(self.0.load(Ordering::SeqCst))
    }

    pub fn context(&self) -> Context {
        Context::new(self.clone())
    }
}

impl Ambient for Clock {
    fn now(&self) -> Timestamp {
        Clock::now(self)
    }

    fn fill(&self, out: &mut [u8]) {
        out.fill(7);
    }
}
