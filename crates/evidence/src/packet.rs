//! Packets: a statement signed into a bundle, and its verification without a network.

use plimsoll_core::{Digest, Error, ErrorCode, Result, canonical};
use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    bundle::Bundle,
    dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE},
    error::{Part, VerifyError},
    json,
    key::{PublicKey, SigningKey},
    statement::{PredicateType, Statement},
    sticker::Sticker,
};

/// The largest statement, in bytes.
pub const MAX_STATEMENT_BYTES: usize = 4 << 20;

/// The largest packet, in bytes: the largest statement in base64 and its wrapping.
pub const MAX_PACKET_BYTES: usize = 6 << 20;

/// A packet in one of its two forms, read but not verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Packet {
    /// A Sigstore bundle: what we write.
    Bundle(Bundle),
    /// A bare DSSE envelope.
    Envelope(Envelope),
}

/// What tells the two forms apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Form {
    dsse_envelope: Option<IgnoredAny>,
    media_type: Option<IgnoredAny>,
}

impl Packet {
    /// Reads a packet. Says nothing about its signature yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, VerifyError> {
        Self::parse_at_most(bytes, MAX_PACKET_BYTES)
    }

    pub(crate) fn parse_at_most(bytes: &[u8], limit: usize) -> Result<Self, VerifyError> {
        let form: Form = json::parse(Part::Packet, bytes, limit)?;
        if form.dsse_envelope.is_some() || form.media_type.is_some() {
            json::read(Part::Packet, bytes).map(Self::Bundle)
        } else {
            json::read(Part::Packet, bytes).map(Self::Envelope)
        }
    }

    /// The envelope inside.
    #[must_use]
    pub const fn envelope(&self) -> &Envelope {
        match self {
            Self::Bundle(bundle) => bundle.envelope(),
            Self::Envelope(envelope) => envelope,
        }
    }

    /// The packet's canonical bytes: its file.
    pub fn to_canonical(&self) -> Result<Vec<u8>> {
        canonical::to_vec(self)
    }
}

/// A statement whose signature, form and subjects were found right.
#[derive(Clone, Debug, PartialEq)]
pub struct VerifiedStatement {
    statement: Statement,
    canonical: Vec<u8>,
    key_id: String,
}

impl VerifiedStatement {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The exact bytes that were signed.
    #[must_use]
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The key that signed them.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Refuses a statement of another type.
    pub fn require_type(&self, expected: PredicateType) -> Result<(), VerifyError> {
        let found = self.statement.predicate_type();
        if found == expected { Ok(()) } else { Err(VerifyError::WrongPredicateType { found, expected }) }
    }

    /// Refuses a statement that is not about `digest`.
    pub fn require_subject(&self, digest: &Digest) -> Result<(), VerifyError> {
        let about = self.statement.subjects().iter().any(|subject| subject.digest == *digest);
        if about { Ok(()) } else { Err(VerifyError::OtherSubject { expected: *digest }) }
    }
}

/// Verifies a packet (bundle or bare envelope) with `key` and nothing else. Every byte counts: the packet and
/// the statement inside must be the canonical form of what they say.
pub fn verify_packet(bytes: &[u8], key: &PublicKey) -> Result<VerifiedStatement, VerifyError> {
    verify_at_most(bytes, MAX_PACKET_BYTES, key)
}

/// [`verify_packet`] with another limit of size.
pub(crate) fn verify_at_most(bytes: &[u8], limit: usize, key: &PublicKey) -> Result<VerifiedStatement, VerifyError> {
    let packet = Packet::parse_at_most(bytes, limit)?;
    json::check_canonical(Part::Packet, bytes, &packet)?;
    if let Packet::Bundle(bundle) = &packet {
        bundle.check(key)?;
    }
    let canonical = packet.envelope().open(IN_TOTO_PAYLOAD_TYPE, key)?;
    let statement = read_statement(&canonical)?;
    Ok(VerifiedStatement { statement, canonical, key_id: key.key_id().to_owned() })
}

/// Reads a statement and, for a predicate whose fields this crate knows, those too.
fn read_statement(bytes: &[u8]) -> Result<Statement, VerifyError> {
    let statement = Statement::from_canonical(bytes)?;
    match statement.predicate_type() {
        PredicateType::Sticker => Sticker::from_statement(&statement).map(|_| statement),
        PredicateType::PromotionDecision
        | PredicateType::Deployment
        | PredicateType::Rollback
        | PredicateType::GovernanceChange => Ok(statement),
    }
}

impl SigningKey {
    /// Signs a statement into a packet: the bytes of a bundle.
    pub fn sign_statement(&self, statement: &Statement) -> Result<Vec<u8>> {
        self.sign_canonical(&statement.to_canonical()?)
    }

    /// Signs the stored canonical bytes of a statement, as they are, into a packet. Bytes that
    /// [`verify_packet`] would refuse are not signed.
    pub fn sign_canonical(&self, statement: &[u8]) -> Result<Vec<u8>> {
        Packet::Bundle(Bundle::new(self.seal(statement)?, self.public_key())).to_canonical()
    }

    pub(crate) fn seal(&self, statement: &[u8]) -> Result<Envelope> {
        read_statement(statement)
            .map_err(|cause| Error::new(ErrorCode::RuleViolated, format!("this can not be signed: {cause}")))?;
        self.sign_payload(IN_TOTO_PAYLOAD_TYPE, statement)
    }
}
