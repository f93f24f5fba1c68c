//! Why a registry did not give what was asked for, told so that a person knows what to do next.

use std::fmt;

use plimsoll_core::{Digest, Error, ErrorCode};

use crate::{
    name::{Reference, Repository},
    network::Refusal,
    outbound::OutboundError,
};

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `/v2/`, which says whether this is a registry at all.
    Api,
    /// The list of repositories.
    Catalog,
    /// A repository's tags.
    Tags(Repository),
    /// A manifest or an index.
    Manifest(Repository, Reference),
    /// A layer or a configuration.
    Blob(Repository, Digest),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Api => f.write_str("the registry API (/v2/)"),
            Self::Catalog => f.write_str("the list of repositories"),
            Self::Tags(repository) => write!(f, "the tags of {repository}"),
            Self::Manifest(repository, Reference::Tag(tag)) => write!(f, "{repository}:{tag}"),
            Self::Manifest(repository, Reference::Digest(digest)) => write!(f, "{repository}@{digest}"),
            Self::Blob(repository, digest) => write!(f, "the blob {digest} of {repository}"),
        }
    }
}

/// Content that is not what its digest says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host} sent content for {what} with digest {found} instead of {expected}; it was not used")]
pub struct Mismatch {
    /// `host[:port]`.
    pub host: String,
    /// What was asked for.
    pub what: Subject,
    /// Its digest.
    pub expected: Digest,
    /// What came.
    pub found: Digest,
}

/// Who answers that it does not know us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The registry itself.
    Registry,
    /// Its token server, which had given us a token before.
    KnownTokenServer,
    /// Its token server, which never gave us any.
    TokenServer,
}

/// Why a call to a registry failed. `host` is `host[:port]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the fields' names and the messages say what they are")]
pub enum RegistryError {
    /// It isn't there.
    #[error("{host} does not have {what}{said}; check the name, and that it was pushed there")]
    NotFound { host: String, what: Subject, said: String },
    /// It wants credentials, or others.
    #[error("{host} asks for other credentials before it shows {what}: {problem}")]
    Unauthorized { host: String, what: Subject, problem: String, by: Asker },
    /// It knows us and says no.
    #[error("{host} does not let us read {what}{said}; give the account the right to pull it")]
    Forbidden { host: String, what: Subject, said: String },
    /// We called too often.
    #[error("{host} limits how often it may be called; {}", wait(*.retry_after_seconds))]
    RateLimited { host: String, retry_after_seconds: Option<u64> },
    /// No connection, or it broke.
    #[error("{host} can't be reached: {cause}; check the address, the network and that it is running")]
    Unreachable { host: String, cause: String },
    /// It took too long.
    #[error("{host} did not answer in time; check its load and the network, then try again")]
    TimedOut { host: String },
    /// The TLS handshake failed.
    #[error("TLS with {host} failed: {cause}; check the certificate, or configure its CA")]
    Tls { host: String, cause: String },
    /// It answered with a fault of its own.
    #[error("{host} failed with status {status} when asked for {what}{said}; try again later or look at its log")]
    Unavailable { host: String, what: Subject, status: u16, said: String },
    /// The answer is longer than allowed.
    #[error("{host} sent more than {limit_bytes} bytes, which is more than is taken for such an answer")]
    TooLarge { host: String, limit_bytes: u64 },
    /// The answer isn't what the specification says.
    #[error("{host} answered {what} with {problem}; check that the address is a registry's")]
    BadAnswer { host: String, what: Subject, problem: String },
    /// It sends no pages as long as were asked for.
    #[error("{host} refuses pages of {what} as long as were asked for; start again without a cursor")]
    PageSize { host: String, what: Subject },
    /// The content is not what its digest says.
    #[error("{0}")]
    Mismatch(Box<Mismatch>),
    /// The network policy refuses the address; nothing was sent.
    #[error("{0}")]
    Refused(Refusal),
    /// The configuration can't be used.
    #[error("{0}")]
    Configuration(String),
    /// What was read could not be written here.
    #[error("what {host} sent could not be written: {cause}")]
    Sink { host: String, cause: String },
}

impl RegistryError {
    /// Whether the same call may work later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Unavailable { .. } => {
                true
            }
            Self::NotFound { .. }
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::Tls { .. }
            | Self::TooLarge { .. }
            | Self::BadAnswer { .. }
            | Self::PageSize { .. }
            | Self::Mismatch(_)
            | Self::Refused(_)
            | Self::Configuration(_)
            | Self::Sink { .. } => false,
        }
    }

    /// A stable word for what happened.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "not_found",
            Self::Unauthorized { .. } => "unauthorized",
            Self::Forbidden { .. } => "forbidden",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut { .. } => "timed_out",
            Self::Tls { .. } => "tls",
            Self::Unavailable { .. } => "unavailable",
            Self::TooLarge { .. } => "too_large",
            Self::BadAnswer { .. } => "bad_answer",
            Self::PageSize { .. } => "page_size",
            Self::Mismatch(_) => "digest_mismatch",
            Self::Refused(_) => "address_refused",
            Self::Configuration(_) => "configuration",
            Self::Sink { .. } => "write_failed",
        }
    }

    const fn code(&self) -> ErrorCode {
        match self {
            Self::NotFound { what, .. } => match what {
                Subject::Manifest(_, Reference::Digest(_)) | Subject::Blob(..) => ErrorCode::DigestNotFound,
                Subject::Api | Subject::Catalog => ErrorCode::UpstreamFailed,
                Subject::Tags(_) | Subject::Manifest(_, Reference::Tag(_)) => ErrorCode::NotFound,
            },
            Self::Configuration(_) => ErrorCode::ValidationFailed,
            Self::Sink { .. } => ErrorCode::Internal,
            Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::RateLimited { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Tls { .. }
            | Self::Unavailable { .. }
            | Self::TooLarge { .. }
            | Self::BadAnswer { .. }
            | Self::PageSize { .. }
            | Self::Mismatch(_)
            | Self::Refused(_) => ErrorCode::UpstreamFailed,
        }
    }
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        let details = serde_json::json!({ "reason": error.reason() });
        Self::new(error.code(), error.to_string()).details(details)
    }
}

impl From<OutboundError> for RegistryError {
    fn from(error: OutboundError) -> Self {
        match error {
            OutboundError::Refused(refusal) => Self::Refused(refusal),
            OutboundError::Unreachable { host, cause } => Self::Unreachable { host, cause },
            OutboundError::TimedOut { host } => Self::TimedOut { host },
            OutboundError::Tls { host, cause } => Self::Tls { host, cause },
            OutboundError::TooLarge { host, limit_bytes } => Self::TooLarge { host, limit_bytes },
            OutboundError::BadRedirect { host, what } => Self::BadAnswer {
                host,
                what: Subject::Api,
                problem: format!("a redirect that can't be followed: it {what}"),
            },
            OutboundError::Invalid(text) => Self::Configuration(text),
        }
    }
}

fn wait(seconds: Option<u64>) -> String {
    match seconds {
        Some(seconds) => format!("try again in {seconds} s"),
        None => "try again later".to_owned(),
    }
}

/// What a registry said in the body of a refusal, made safe to show: `" (CODE: message)"` or nothing.
pub(crate) fn said(body: &[u8]) -> (Option<String>, String) {
    let Ok(answer) = serde_json::from_slice::<ErrorBody>(body) else { return (None, String::new()) };
    let Some(first) = answer.errors.into_iter().next() else { return (None, String::new()) };
    let text = match first.message {
        Some(message) => format!(" ({}: {})", tidy(&first.code), tidy(&message)),
        None => format!(" ({})", tidy(&first.code)),
    };
    (Some(first.code), text)
}

/// At most 200 characters, none of them control characters.
pub(crate) fn tidy(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

#[derive(serde::Deserialize)]
struct ErrorBody {
    errors: Vec<ErrorEntry>,
}

#[derive(serde::Deserialize)]
struct ErrorEntry {
    code: String,
    #[serde(default)]
    message: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_digest_is_told_from_a_missing_tag() {
        let missing = |reference: Reference| {
            let what = Subject::Manifest("shop/api".parse().unwrap(), reference);
            Error::from(RegistryError::NotFound { host: "r.example".to_owned(), what, said: String::new() })
        };
        let by_digest = missing(Digest::of(b"x").into());
        assert_eq!(by_digest.code(), ErrorCode::DigestNotFound);
        let by_tag = missing("1.0".parse().unwrap());
        assert_eq!(by_tag.code(), ErrorCode::NotFound);
        assert_eq!(
            by_tag.message(),
            "r.example does not have shop/api:1.0; check the name, and that it was pushed there"
        );
    }

    #[test]
    fn what_a_registry_says_is_shown_without_control_characters() {
        let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest\u001b[31m unknown","detail":{}}]}"#;
        let (code, text) = said(body);
        assert_eq!(code.as_deref(), Some("MANIFEST_UNKNOWN"));
        assert_eq!(text, " (MANIFEST_UNKNOWN: manifest[31m unknown)");
        assert_eq!(said(b"<html>"), (None, String::new()));
    }
}
