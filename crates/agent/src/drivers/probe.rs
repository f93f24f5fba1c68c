//! Health checks over the network, as agents make them.

use std::{net::SocketAddr, time::Duration};

use plimsoll_core::{Error, ErrorCode, Result};
use reqwest::{Client, Url, redirect};
use tokio::{net::TcpStream, time::timeout};

use super::host::Probe;

/// Asks for health over HTTP and TCP.
#[derive(Clone, Debug)]
pub struct Prober {
    client: Client,
}

impl Prober {
    /// A prober. It speaks plain HTTP, follows nothing, and knows no proxy: what it asks is on this host.
    pub fn new() -> Result<Self> {
        let client = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .pool_max_idle_per_host(0)
            .tls_certs_only([])
            .user_agent(concat!("plimsoll-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| {
                Error::new(ErrorCode::Internal, "health checks can't be made: the HTTP client can't be built")
                    .caused_by(cause)
            })?;
        Ok(Self { client })
    }

    /// A GET that is answered with 200 to 399 is good. The body is not read.
    pub async fn http(&self, at: SocketAddr, path: &str, limit: Duration) -> Probe {
        let Ok(url) = Url::parse(&format!("http://{at}")).and_then(|base| base.join(path)) else {
            return Probe::Bad(format!("{path:?} is no path"));
        };
        match self.client.get(url.clone()).timeout(limit).send().await {
            Ok(answer) if (200..400).contains(&answer.status().as_u16()) => Probe::Good,
            Ok(answer) => Probe::Bad(format!("GET {url} answered {}", answer.status())),
            Err(cause) if cause.is_timeout() => {
                Probe::Bad(format!("GET {url} was not answered within {} s", limit.as_secs()))
            }
            Err(cause) => Probe::Bad(format!("GET {url} failed: {}", root(&cause))),
        }
    }

    /// A connection that is accepted is good.
    pub async fn tcp(&self, at: SocketAddr, limit: Duration) -> Probe {
        match timeout(limit, TcpStream::connect(at)).await {
            Ok(Ok(_)) => Probe::Good,
            Ok(Err(cause)) => Probe::Bad(format!("{at} refused the connection: {cause}")),
            Err(_) => Probe::Bad(format!("{at} did not accept a connection within {} s", limit.as_secs())),
        }
    }
}

/// The innermost cause: the outer ones only repeat the URL.
fn root(error: &dyn std::error::Error) -> String {
    let mut deepest = error;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}
