//! Whom the agent trusts as its server: a pinned certificate, its own CA, or the system's.

use std::sync::Arc;

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use plimsoll_core::{Digest, Error, ErrorCode, Result};

/// Whom to trust.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// SHA-256 of a certificate in the server's chain, in hexadecimal.
    pub ca_sha256: Option<String>,
    /// CA certificates in PEM; they go before the pin.
    pub ca_pem: Vec<String>,
}

/// The TLS client's settings for `trust`.
pub fn config(trust: &Trust) -> Result<ClientConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|cause| refused(format!("TLS can't be set up: {cause}")))?;
    if !trust.ca_pem.is_empty() {
        return Ok(builder.with_root_certificates(own_roots(&trust.ca_pem)?).with_no_client_auth());
    }
    if let Some(pin) = &trust.ca_sha256 {
        let verifier = Arc::new(Pinned { pin: parse_pin(pin)?, provider });
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    Ok(builder.with_root_certificates(system_roots()).with_no_client_auth())
}

fn own_roots(pems: &[String]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for pem in pems {
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate =
                certificate.map_err(|cause| refused(format!("a CA certificate can't be read: {cause}")))?;
            roots.add(certificate).map_err(|cause| refused(format!("a CA certificate can't be used: {cause}")))?;
        }
    }
    if roots.is_empty() {
        return Err(refused("the CA file holds no certificate in PEM (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(roots)
}

/// The system's; none at all is fine for a server without TLS, and told at the first handshake otherwise.
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for problem in &found.errors {
        tracing::debug!(%problem, "a certificate of the system could not be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}

/// Accepts a server whose chain holds the pinned certificate: as its own, or as the CA that vouches for it.
#[derive(Debug)]
struct Pinned {
    pin: Digest,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if Digest::of(end_entity) == self.pin {
            // The very certificate that was named: nothing else about it matters.
            return Ok(ServerCertVerified::assertion());
        }
        let Some(ca) = intermediates.iter().find(|certificate| Digest::of(certificate) == self.pin) else {
            let shown: Vec<String> =
                std::iter::once(end_entity).chain(intermediates).map(|der| Digest::of(der).hex()).collect();
            return Err(rustls::Error::General(format!(
                "the server shows no certificate with the pinned SHA-256; it shows {}",
                shown.join(", ")
            )));
        };
        let mut roots = RootCertStore::empty();
        roots.add(ca.clone().into_owned())?;
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|cause| rustls::Error::General(cause.to_string()))?
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// With or without `sha256:` and colons, in either case, as tools print it.
fn parse_pin(text: &str) -> Result<Digest> {
    let clean: String = text
        .trim()
        .trim_start_matches("sha256:")
        .chars()
        .filter(|letter| *letter != ':')
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    format!("sha256:{clean}").parse().map_err(|_| {
        refused(format!(
            "{text:?} is no SHA-256 of a certificate: give 64 hexadecimal digits, as the console prints them"
        ))
    })
}

fn refused(message: String) -> Error {
    Error::new(ErrorCode::ValidationFailed, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_tools_print_it() {
        let digest = Digest::of(b"certificate");
        let hex = digest.hex();
        let colons =
            hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap()).collect::<Vec<_>>().join(":");
        for text in [hex.clone(), hex.to_uppercase(), format!("sha256:{hex}"), colons] {
            assert_eq!(parse_pin(&text).unwrap(), digest, "{text}");
        }
        assert!(parse_pin("cafe").is_err());
    }
}
