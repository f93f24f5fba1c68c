//! Opening a connection to PostgreSQL: in time, and with TLS unless it stays on this host.

use std::{future::poll_fn, time::Duration};

use plimsoll_core::{Error, ErrorCode, Result};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};
use tokio_postgres::{AsyncMessage, Client, Config, Connection, NoTls, config::SslMode};

/// For a connection to be made.
const LIMIT: Duration = Duration::from_secs(10);
/// A peer that is gone is noticed after about 25 s, also while a statement runs.
const KEEPALIVE: Duration = Duration::from_secs(10);
const UNACKNOWLEDGED: Duration = Duration::from_secs(25);

/// What becomes of notifications.
pub(super) enum Heard {
    /// None were asked for.
    Nothing,
    /// Their payloads are sent here. One that finds it full is dropped: another one is on its way to be read.
    Payloads(mpsc::Sender<String>),
}

/// Connects, and drives the connection on the current runtime until the client is dropped.
pub(super) async fn connect(config: &Config, heard: Heard) -> Result<Client> {
    let mut config = config.clone();
    config.keepalives(true).keepalives_idle(KEEPALIVE).keepalives_interval(KEEPALIVE / 2).keepalives_retries(3);
    config.tcp_user_timeout(UNACKNOWLEDGED);
    if config.get_ssl_mode() == SslMode::Disable || is_local(&config) {
        let (client, connection) = in_time(config.connect(NoTls)).await?;
        tokio::spawn(drive(connection, heard));
        return Ok(client);
    }
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_native_certs().certs {
        // One unreadable certificate in the system's store must not lock us out of the others.
        drop(roots.add(certificate));
    }
    let tls = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tls = tokio_postgres_rustls::MakeRustlsConnect::new(tls);
    let (client, connection) = in_time(config.connect(tls)).await?;
    tokio::spawn(drive(connection, heard));
    Ok(client)
}

async fn in_time<T>(connecting: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>) -> Result<T> {
    let away = |cause: &dyn std::fmt::Display| {
        Error::new(ErrorCode::Unavailable, "PostgreSQL cannot be reached; check database.url and that it runs")
            .internal(cause.to_string())
    };
    tokio::time::timeout(LIMIT, connecting)
        .await
        .map_err(|_| away(&"no connection in 10 s"))?
        .map_err(|cause| away(&cause))
}

async fn drive<S, T>(mut connection: Connection<S, T>, heard: Heard)
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = poll_fn(|cx| connection.poll_message(cx)).await {
        match (message, &heard) {
            (Ok(AsyncMessage::Notification(one)), Heard::Payloads(to)) => drop(to.try_send(one.payload().to_owned())),
            (Ok(_), _) => {}
            (Err(cause), _) => {
                tracing::warn!(%cause, "a PostgreSQL connection ended");
                return;
            }
        }
    }
}

fn is_local(config: &Config) -> bool {
    use tokio_postgres::config::Host;
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        Host::Unix(_) => true,
    })
}
