//! Why an outbound call failed, told for the person who configured its address.

use std::error::Error as StdError;

use plimsoll_core::{Error, ErrorCode};
use reqwest::Url;

use super::body::host_of;
use crate::network::Refusal;

/// Why an outbound call gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The network policy says no; nothing was sent.
    #[error("{0}")]
    Refused(Refusal),
    /// No connection, or it broke.
    #[error("{host} can't be reached: {cause}; check the address, the network and that it is running")]
    Unreachable {
        /// `host[:port]`.
        host: String,
        /// What the network said.
        cause: String,
    },
    /// It took too long.
    #[error("{host} did not answer in time; check its load and the network, then try again")]
    TimedOut {
        /// `host[:port]`.
        host: String,
    },
    /// The TLS handshake failed.
    #[error("TLS with {host} failed: {cause}; check the certificate, or configure its CA")]
    Tls {
        /// `host[:port]`.
        host: String,
        /// What TLS said.
        cause: String,
    },
    /// The answer is longer than allowed.
    #[error("{host} sent more than {limit_bytes} bytes; that is not what was asked for")]
    TooLarge {
        /// `host[:port]`.
        host: String,
        /// What is allowed.
        limit_bytes: u64,
    },
    /// A redirect that can't be followed.
    #[error("{host} {what}; check the address")]
    BadRedirect {
        /// `host[:port]`.
        host: String,
        /// What is wrong with it.
        what: String,
    },
    /// The configuration can't be used.
    #[error("{0}")]
    Invalid(String),
}

impl OutboundError {
    /// What `cause` means for a call to `url`.
    pub(crate) fn of(url: &Url, cause: &reqwest::Error) -> Self {
        let host = host_of(url);
        if let Some(refusal) = find::<Refusal>(cause) {
            return Self::Refused(refusal.clone());
        }
        if let Some(tls) = find::<rustls::Error>(cause) {
            return Self::Tls { host, cause: tls.to_string() };
        }
        if cause.is_timeout() || find::<std::io::Error>(cause).is_some_and(is_timeout) {
            return Self::TimedOut { host };
        }
        if cause.is_dns() {
            return Self::unresolved(url, &innermost(cause));
        }
        Self::Unreachable { host, cause: innermost(cause) }
    }

    pub(crate) fn unresolved(url: &Url, cause: &str) -> Self {
        Self::Unreachable { host: host_of(url), cause: format!("the name can't be resolved ({cause})") }
    }

    pub(crate) fn redirect(url: &Url, what: &str) -> Self {
        Self::BadRedirect { host: host_of(url), what: what.to_owned() }
    }

    pub(crate) fn plain_http(url: &Url) -> Self {
        Self::Invalid(format!(
            "{} would be reached over plain HTTP; use https, or allow it with \"insecure\": true",
            host_of(url)
        ))
    }

    /// Whether the same call may work later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Refused(_)
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::BadRedirect { .. }
            | Self::Invalid(_) => false,
        }
    }
}

impl From<OutboundError> for Error {
    fn from(error: OutboundError) -> Self {
        Self::new(ErrorCode::UpstreamFailed, error.to_string())
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::TimedOut
}

/// The first `E` among the causes, also inside I/O errors, which hide theirs from `source`.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => current.source(),
        };
    }
    None
}

/// The innermost cause, without the URL, which may hold a token in its query.
fn innermost(error: &reqwest::Error) -> String {
    let mut deepest: Option<&dyn StdError> = error.source();
    while let Some(next) = deepest.and_then(StdError::source) {
        deepest = Some(next);
    }
    deepest.map_or_else(|| "the call failed".to_owned(), ToString::to_string)
}
