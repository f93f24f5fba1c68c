//! Certificates: a private CA that is configured, and one that isn't.

use std::{net::Ipv4Addr, sync::Arc};

use hyper_util::{rt::TokioExecutor, rt::TokioIo, server::conn::auto, service::TowerToHyperService};
use plimsoll_oci::{PlainHttp, RegistryError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    fake::{self, Fake, Seen},
    support::{client_of, config, repository},
};

/// A server with a certificate for `127.0.0.1` of a CA of its own, whose PEM is given too.
pub async fn start(handler: impl Fn(&Seen) -> axum::response::Response + Send + Sync + 'static) -> (Fake, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key.serialize_der().try_into().unwrap())
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let fake = Fake::new(listener.local_addr().unwrap(), Arc::new(handler));
    let (acceptor, router) = (TlsAcceptor::from(Arc::new(tls)), fake.router.clone());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(socket).await else { return };
                let builder = auto::Builder::new(TokioExecutor::new());
                let _ = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)).await;
            });
        }
    });
    (fake, ca.pem())
}

#[tokio::test]
async fn a_private_ca_is_trusted_when_it_is_configured() {
    let (fake, ca) = start(|_| fake::json(&json!({"tags": ["1"]}))).await;
    let mut config = config(&format!("https://{}", fake.address));
    config.outbound.plain_http = PlainHttp::Refused;
    config.outbound.ca_pem = Some(ca);
    let client = client_of(config);
    assert_eq!(client.list_tags(&repository("shop/api")).await.unwrap(), ["1"]);
    assert!(client.ping(None).await[..2].iter().all(|check| check.ok));
}

#[tokio::test]
async fn an_unknown_ca_and_another_one_are_refused_at_once() {
    let (fake, _) = start(|_| fake::json(&json!({"tags": ["1"]}))).await;
    let (_, other) = start(|_| fake::json(&json!({}))).await;
    for ca in [None, Some(other)] {
        let mut config = config(&format!("https://{}", fake.address));
        config.outbound.ca_pem = ca;
        let client = client_of(config);
        let error = client.list_tags(&repository("shop/api")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Tls { .. }), "{error:?}");
        let checks = client.ping(None).await;
        assert_eq!((checks.len(), checks[1].name.as_str(), checks[1].ok), (2, "tls", false));
        assert_eq!(checks[1].hint.as_deref(), Some("check the certificate, or configure its CA"));
    }
    assert_eq!(fake.seen().len(), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (fake, ca) = start(|_| fake::json(&json!({"tags": ["1"]}))).await;
    let mut config = config(&format!("https://localhost:{}", fake.address.port()));
    config.outbound.ca_pem = Some(ca);
    let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Tls { .. } | RegistryError::Unreachable { .. }), "{error:?}");
    assert_eq!(fake.seen().len(), 0);
}

#[tokio::test]
async fn speaking_tls_to_a_plain_server_is_said() {
    let fake = Fake::start(|_| fake::json(&json!({}))).await;
    let error = client_of(config(&format!("https://{}", fake.address))).list_tags(&repository("a")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn plain_http_needs_to_be_allowed() {
    let fake = Fake::start(|_| fake::json(&json!({"tags": []}))).await;
    let mut config = config(&fake.url());
    config.outbound.plain_http = PlainHttp::Refused;
    let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(error.to_string().contains("\"insecure\": true"), "{error}");
    assert_eq!(fake.seen().len(), 0);
}

#[test]
fn a_ca_file_without_certificates_is_refused() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let mut config = config("https://r.example");
        config.outbound.ca_pem = Some(pem.to_owned());
        let error = plimsoll_oci::RegistryClient::new(config, plimsoll_core::context::Context::system()).unwrap_err();
        assert!(matches!(error, RegistryError::Configuration(_)), "{pem:?}: {error:?}");
    }
}
