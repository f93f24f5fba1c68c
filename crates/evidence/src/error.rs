//! Why a packet is refused.

use std::fmt;

use plimsoll_core::{Digest, Error, ErrorCode};

use crate::statement::PredicateType;

/// Which of the two nested documents an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The file: the bundle or the bare envelope.
    Packet,
    /// The signed statement inside.
    Statement,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Packet => "packet",
            Self::Statement => "statement",
        })
    }
}

/// Why a packet or sticker is refused. Each message says what is wrong; [`VerifyError::code`] is its stable name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// More bytes than allowed.
    #[error("the {part} has {size} bytes, more than the {limit} allowed")]
    TooLarge {
        /// Where.
        part: Part,
        /// Bytes found.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not an archive as we pack it.
    #[error("the archive is not one of a packet: {detail}")]
    BadArchive {
        /// What is wrong.
        detail: String,
    },
    /// Not JSON.
    #[error("the {part} is not JSON: {detail}")]
    Unparsable {
        /// Where.
        part: Part,
        /// What the parser says.
        detail: String,
    },
    /// An object has the same key twice.
    #[error("the {part} has the key {key:?} twice in one object")]
    DuplicateKey {
        /// Where.
        part: Part,
        /// The key.
        key: String,
    },
    /// JSON, but with a missing, unknown or wrongly typed field.
    #[error("the {part} is not in the expected form: {detail}")]
    Malformed {
        /// Where.
        part: Part,
        /// What the parser says.
        detail: String,
    },
    /// JSON that is not written as RFC 8785 says.
    #[error("the {part} is not canonical JSON (RFC 8785); the first differing byte is at offset {offset}")]
    NotCanonical {
        /// Where.
        part: Part,
        /// Offset in bytes, from 0.
        offset: usize,
    },
    /// The bundle is of another kind or version.
    #[error("the bundle's mediaType is {found:?}, expected {:?}", crate::BUNDLE_MEDIA_TYPE)]
    WrongMediaType {
        /// What stands there.
        found: String,
    },
    /// The envelope holds something else than an in-toto statement.
    #[error("the envelope's payloadType is {found:?}, expected {expected:?}")]
    WrongPayloadType {
        /// What stands there.
        found: String,
        /// What should.
        expected: String,
    },
    /// None or several signatures.
    #[error("the envelope has {found} signatures, expected exactly one")]
    SignatureCount {
        /// How many there are.
        found: usize,
    },
    /// The packet names another key.
    #[error(
        "the packet's {field} names the key {found:?}, but the key given is {expected}; give the key that signed it"
    )]
    KeyMismatch {
        /// `keyid` of the signature or `hint` of the bundle.
        field: &'static str,
        /// The key that the packet names.
        found: String,
        /// The key given.
        expected: String,
    },
    /// Not standard base64 with padding.
    #[error("the envelope's {field} is not standard base64 with padding")]
    BadBase64 {
        /// `payload` or `sig`.
        field: &'static str,
    },
    /// The signature does not fit.
    #[error(
        "the signature does not fit the content and the key {key_id}: the packet was changed, or another key signed it"
    )]
    BadSignature {
        /// The key given.
        key_id: String,
    },
    /// Another kind or version of statement.
    #[error("the statement's _type is {found:?}, expected {:?}", crate::statement::STATEMENT_TYPE)]
    WrongStatementType {
        /// What stands there.
        found: String,
    },
    /// A predicate type that this version does not know.
    #[error("the predicate type {found:?} is not known to this version")]
    UnknownPredicateType {
        /// What stands there.
        found: String,
    },
    /// A known predicate type, but not the one asked for.
    #[error("the predicate type is {found}, expected {expected}")]
    WrongPredicateType {
        /// What stands there.
        found: PredicateType,
        /// What was asked for.
        expected: PredicateType,
    },
    /// The predicate does not have its type's fields.
    #[error("the predicate is not a {predicate_type}: {detail}")]
    BadPredicate {
        /// The type it claims.
        predicate_type: PredicateType,
        /// What is wrong.
        detail: String,
    },
    /// A statement about nothing.
    #[error("the statement has no subject")]
    NoSubject,
    /// The statement's subjects are not what its predicate speaks of.
    #[error("the statement's subjects are not the components that its predicate lists")]
    SubjectMismatch,
    /// The statement is about something else than what was asked for.
    #[error("the statement is not about {expected}")]
    OtherSubject {
        /// What was asked for.
        expected: Digest,
    },
}

impl VerifyError {
    /// A stable word for the reason, for scripts and stored verdicts.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::BadArchive { .. } => "bad_archive",
            Self::Unparsable { .. } => "unparsable",
            Self::DuplicateKey { .. } => "duplicate_key",
            Self::Malformed { .. } => "malformed",
            Self::NotCanonical { .. } => "not_canonical",
            Self::WrongMediaType { .. } => "wrong_media_type",
            Self::WrongPayloadType { .. } => "wrong_payload_type",
            Self::SignatureCount { .. } => "signature_count",
            Self::KeyMismatch { .. } => "key_mismatch",
            Self::BadBase64 { .. } => "bad_base64",
            Self::BadSignature { .. } => "bad_signature",
            Self::WrongStatementType { .. } => "wrong_statement_type",
            Self::UnknownPredicateType { .. } => "unknown_predicate_type",
            Self::WrongPredicateType { .. } => "wrong_predicate_type",
            Self::BadPredicate { .. } => "bad_predicate",
            Self::NoSubject => "no_subject",
            Self::SubjectMismatch => "subject_mismatch",
            Self::OtherSubject { .. } => "other_subject",
        }
    }
}

impl From<VerifyError> for Error {
    fn from(error: VerifyError) -> Self {
        Self::new(ErrorCode::RuleViolated, format!("the evidence is refused: {error}"))
            .details(serde_json::json!({ "reason": error.code() }))
    }
}
