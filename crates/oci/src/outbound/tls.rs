//! Which certificates are trusted, and what happens where the system has none.

use reqwest::{Certificate, Client, ClientBuilder};

use super::{OutboundConfig, OutboundError, PlainHttp};

/// Builds the client with the system's certificates and the configured ones. Building fails on a system
/// without any; then the configured ones alone serve, or none where plain HTTP is allowed.
pub(super) fn build(config: &OutboundConfig, builder: impl Fn() -> ClientBuilder) -> Result<Client, OutboundError> {
    let extra = extra(config)?;
    let merged = if extra.is_empty() { builder() } else { builder().tls_certs_merge(extra.clone()) };
    let failure = match merged.build() {
        Ok(client) => return Ok(client),
        Err(failure) => failure,
    };
    if extra.is_empty() && config.plain_http == PlainHttp::Refused {
        tracing::warn!(error = %error_chain(&failure), "the HTTP client can't be built");
        return Err(OutboundError::Invalid(
            "this machine trusts no certificate authority; install ca-certificates or configure a CA file".to_owned(),
        ));
    }
    builder()
        .tls_certs_only(extra)
        .build()
        .map_err(|cause| OutboundError::Invalid(format!("the CA certificates can't be used: {}", error_chain(&cause))))
}

fn extra(config: &OutboundConfig) -> Result<Vec<Certificate>, OutboundError> {
    let Some(pem) = &config.ca_pem else { return Ok(Vec::new()) };
    let refuse =
        || OutboundError::Invalid("the CA file must hold certificates in PEM (-----BEGIN CERTIFICATE-----)".to_owned());
    let found = Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| refuse())?;
    if found.is_empty() { Err(refuse()) } else { Ok(found) }
}

/// An error with its causes, in one line.
pub(super) fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let part = next.to_string();
        if !text.contains(&part) {
            text = format!("{text}: {part}");
        }
        cause = next.source();
    }
    text
}
