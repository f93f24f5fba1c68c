//! The version sticker: the signed record of what was put on a target, kept on the target itself.
//!
//! The server signs it when it offers the task; the agent places it after success. On the host the public
//! key alone tells that it is genuine, and an inventory can be rebuilt from stickers.

use plimsoll_core::{
    Digest, Error, Result, Timestamp, canonical,
    id::{JobId, ReleaseId, TargetId},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    error::VerifyError,
    key::{PublicKey, SigningKey},
    packet::verify_at_most,
    statement::{PredicateType, Statement, Subject},
};

/// The largest sticker file, in bytes.
pub const MAX_STICKER_BYTES: usize = 1 << 20;

/// What a sticker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sticker {
    /// The target it is for.
    pub target_id: TargetId,
    /// The target's name.
    pub target_name: String,
    /// The application deployed.
    pub application: String,
    /// The release deployed.
    pub release: StickerRelease,
    /// The components of the release on this target, at least one.
    pub components: Vec<StickerComponent>,
    /// The deployment job.
    pub job_id: JobId,
    /// The target's epoch of the task; of two stickers the higher one is the later.
    pub epoch: u64,
    /// When the server signed it.
    pub issued_at: Timestamp,
}

/// The release that a [`Sticker`] names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StickerRelease {
    /// Its id.
    pub id: ReleaseId,
    /// Its version, as people call it.
    pub version: String,
    /// The digest it was sealed with.
    pub digest: Digest,
}

/// A component that a [`Sticker`] lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StickerComponent {
    /// Its name.
    pub name: String,
    /// The image's digest.
    pub digest: Digest,
}

impl Sticker {
    /// The statement that is signed: its subjects are the components.
    pub fn statement(&self) -> Result<Statement> {
        Statement::new(PredicateType::Sticker, self.subjects(), self)
    }

    /// Reads a sticker back from its statement; predicate and subjects must agree.
    pub fn from_statement(statement: &Statement) -> Result<Self, VerifyError> {
        let expected = PredicateType::Sticker;
        let found = statement.predicate_type();
        if found != expected {
            return Err(VerifyError::WrongPredicateType { found, expected });
        }
        let bad = |detail: String| VerifyError::BadPredicate { predicate_type: expected, detail };
        let predicate = Value::Object(statement.predicate().clone());
        let sticker = Self::deserialize(&predicate).map_err(|cause| bad(cause.to_string()))?;
        // Other spellings of an id or a time would be read, but never written.
        let same = serde_json::to_value(&sticker).is_ok_and(|written| written == predicate);
        if !same {
            return Err(bad("an id or a time is not in its canonical spelling".to_owned()));
        }
        if sticker.subjects() == statement.subjects() { Ok(sticker) } else { Err(VerifyError::SubjectMismatch) }
    }

    fn subjects(&self) -> Vec<Subject> {
        self.components.iter().map(|component| Subject::new(&component.name, component.digest)).collect()
    }
}

/// A signed sticker: the exact text of the file on the target, a DSSE envelope in canonical JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StickerEnvelope(String);

impl StickerEnvelope {
    /// Signs a sticker.
    pub fn sign(sticker: &Sticker, key: &SigningKey) -> Result<Self> {
        let envelope = key.seal(&sticker.statement()?.to_canonical()?)?;
        let bytes = canonical::to_vec(&envelope)?;
        String::from_utf8(bytes).map(Self).map_err(|cause| Error::internal_defect(cause.to_string()))
    }

    /// Verifies the bytes of a sticker file with `key` and nothing else.
    pub fn verify(bytes: &[u8], key: &PublicKey) -> Result<Sticker, VerifyError> {
        Sticker::from_statement(verify_at_most(bytes, MAX_STICKER_BYTES, key)?.statement())
    }

    /// The text to be written to the file, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
