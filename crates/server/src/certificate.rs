//! The server's certificate: read from files, and read again when they change.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use plimsoll_core::{Error, ErrorCode, Result};
use rustls::{
    crypto::aws_lc_rs,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// Between two looks at the files.
const EACH: Duration = Duration::from_secs(2);

/// A certificate chain and its key, as the files last had them.
#[derive(Debug)]
pub(crate) struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    /// The files before they were read first.
    first: Seen,
    current: RwLock<Arc<CertifiedKey>>,
}

/// What tells a change of the files: when each was last written, and how long it is.
type Seen = [Option<(SystemTime, u64)>; 2];

impl Certificate {
    /// Reads the files; an error says which one cannot be used and why.
    pub(crate) fn read(chain: PathBuf, key: PathBuf) -> Result<Arc<Self>> {
        let first = seen(&chain, &key);
        let current = RwLock::new(Arc::new(load(&chain, &key)?));
        Ok(Arc::new(Self { chain, key, first, current }))
    }

    /// Accepts TLS connections with whatever certificate is current at each handshake.
    pub(crate) fn acceptor(self: &Arc<Self>) -> TlsAcceptor {
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = rustls::ServerConfig::builder().with_no_client_auth().with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }

    /// Looks at the files until told to stop. New ones that cannot be used leave the old certificate in force.
    pub(crate) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        let mut known = self.first;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(EACH) => {}
            }
            let now = seen(&self.chain, &self.key);
            if now != known {
                known = now;
                self.reload();
            }
        }
    }

    fn reload(&self) {
        match load(&self.chain, &self.key) {
            Ok(fresh) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                tracing::info!(certificate = %self.chain.display(), "the certificate was read again");
            }
            // Certificate and key are two files: between the two writes they do not belong together.
            Err(error) => tracing::warn!(error = %error, "the new certificate cannot be used; the old one stays"),
        }
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn seen(chain: &Path, key: &Path) -> Seen {
    [chain, key].map(|path| {
        let known = std::fs::metadata(path).ok()?;
        Some((known.modified().ok()?, known.len()))
    })
}

fn load(chain: &Path, key: &Path) -> Result<CertifiedKey> {
    let refuse = |path: &Path, cause: &dyn std::fmt::Display| {
        Error::new(ErrorCode::ValidationFailed, format!("{} cannot be used for TLS: {cause}", path.display()))
    };
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(chain).and_then(Iterator::collect).map_err(|cause| refuse(chain, &cause))?;
    if certificates.is_empty() {
        return Err(refuse(chain, &"there is no certificate (PEM) in it"));
    }
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|cause| refuse(key, &cause))?;
    CertifiedKey::from_der(certificates, secret, &aws_lc_rs::default_provider()).map_err(|cause| refuse(key, &cause))
}

#[cfg(test)]
mod tests {
    use plimsoll_testkit::{PATIENCE, eventually_async};
    use tokio::net::{TcpListener, TcpStream};
    use tokio_rustls::TlsConnector;

    use super::*;

    /// Writes a certificate of its own for `localhost`; answers what it looks like on the wire.
    fn write(folder: &Path) -> CertificateDer<'static> {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
        made.cert.der().clone()
    }

    /// The certificate that a client is shown, if it trusts `trusted`.
    async fn shown(listener: &TcpListener, acceptor: &TlsAcceptor, trusted: &CertificateDer<'static>) -> bool {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(trusted.clone()).unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_root_certificates(roots).with_no_client_auth();
        let client = async {
            let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            TlsConnector::from(Arc::new(config)).connect("localhost".try_into().unwrap(), stream).await.is_ok()
        };
        let server = async {
            let (stream, _) = listener.accept().await.unwrap();
            // The client may hang up: that is what is asked.
            acceptor.accept(stream).await.is_ok()
        };
        tokio::join!(client, server).0
    }

    #[tokio::test]
    async fn a_new_certificate_is_served_without_a_restart_and_a_broken_one_is_not() {
        drop(aws_lc_rs::default_provider().install_default());
        let folder = tempfile::tempdir().unwrap();
        let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
        let first = write(folder.path());
        let certificate = Certificate::read(chain.clone(), key.clone()).unwrap();
        let (listener, acceptor) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), certificate.acceptor());
        assert!(shown(&listener, &acceptor, &first).await);
        let stop = CancellationToken::new();
        let watching = tokio::spawn(Arc::clone(&certificate).watch(stop.clone()));
        let second = write(folder.path());
        eventually_async("the second is served", PATIENCE, async || shown(&listener, &acceptor, &second).await)
            .await
            .unwrap();
        assert!(!shown(&listener, &acceptor, &first).await);
        std::fs::write(&chain, "no certificate").unwrap();
        certificate.reload();
        assert!(shown(&listener, &acceptor, &second).await);
        assert!(Certificate::read(chain, key).unwrap_err().message().contains("chain.pem"));
        stop.cancel();
        watching.await.unwrap();
    }
}
