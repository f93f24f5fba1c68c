//! in-toto Statement v1 (github.com/in-toto/attestation): what is claimed about which digests.

use std::{fmt, str::FromStr};

use plimsoll_core::{Digest, Error, ErrorCode, Result, canonical};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    error::{Part, VerifyError},
    json,
    packet::MAX_STATEMENT_BYTES,
};

/// The `_type` of every statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// The largest integer that every JSON reader keeps exactly (RFC 8785 knows doubles alone).
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// What a statement claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PredicateType {
    /// Why a release may or may not enter an environment.
    PromotionDecision,
    /// What a deployment did on each target.
    Deployment,
    /// What a rollback did on each target.
    Rollback,
    /// What was put on one target.
    Sticker,
    /// Who changed what decides about an environment, from what to what, and why.
    GovernanceChange,
}

impl PredicateType {
    /// Every type there is.
    pub const ALL: [Self; 5] =
        [Self::PromotionDecision, Self::Deployment, Self::Rollback, Self::Sticker, Self::GovernanceChange];

    /// The URI that stands in `predicateType`.
    #[must_use]
    pub const fn uri(self) -> &'static str {
        match self {
            Self::PromotionDecision => "urn:plimsoll:attestation:promotion-decision:v1",
            Self::Deployment => "urn:plimsoll:attestation:deployment:v1",
            Self::Rollback => "urn:plimsoll:attestation:rollback:v1",
            Self::Sticker => "urn:plimsoll:attestation:sticker:v1",
            Self::GovernanceChange => "urn:plimsoll:attestation:governance-change:v1",
        }
    }
}

impl fmt::Display for PredicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.uri())
    }
}

impl FromStr for PredicateType {
    type Err = VerifyError;

    fn from_str(text: &str) -> Result<Self, VerifyError> {
        let known = Self::ALL.into_iter().find(|known| known.uri() == text);
        known.ok_or_else(|| VerifyError::UnknownPredicateType { found: text.to_owned() })
    }
}

/// One thing that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// What people call it: a component, an image reference, `release`.
    pub name: String,
    /// What it is.
    pub digest: Digest,
}

impl Subject {
    /// A subject.
    pub fn new(name: impl Into<String>, digest: Digest) -> Self {
        Self { name: name.into(), digest }
    }
}

/// A statement about at least one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    predicate_type: PredicateType,
    subjects: Vec<Subject>,
    predicate: Map<String, Value>,
}

impl Statement {
    /// A statement. The predicate must be an object; integers beyond 2^53-1 are refused, because
    /// canonical JSON would round them: write them as strings.
    pub fn new(predicate_type: PredicateType, subjects: Vec<Subject>, predicate: impl Serialize) -> Result<Self> {
        let refuse = |text: String| Error::new(ErrorCode::ValidationFailed, text);
        let predicate =
            serde_json::to_value(predicate).map_err(|cause| refuse(format!("the predicate is not JSON: {cause}")))?;
        if let Some(number) = unsafe_integer(&predicate) {
            return Err(refuse(format!("the predicate holds the integer {number}, which is beyond 2^53-1")));
        }
        let Value::Object(predicate) = predicate else {
            return Err(refuse("the predicate must be an object".to_owned()));
        };
        if subjects.is_empty() || subjects.iter().any(|subject| subject.name.is_empty()) {
            return Err(refuse("a statement needs at least one subject, each with a name".to_owned()));
        }
        Ok(Self { predicate_type, subjects, predicate })
    }

    /// Reads a statement from its exact canonical bytes; anything else is refused.
    pub fn from_canonical(bytes: &[u8]) -> Result<Self, VerifyError> {
        let wire: Wire = json::parse(Part::Statement, bytes, MAX_STATEMENT_BYTES)?;
        json::check_canonical(Part::Statement, bytes, &wire)?;
        wire.read()
    }

    /// The canonical bytes: what is stored, signed and hashed.
    pub fn to_canonical(&self) -> Result<Vec<u8>> {
        canonical::to_vec(&Wire::write(self))
    }

    /// What it claims.
    #[must_use]
    pub const fn predicate_type(&self) -> PredicateType {
        self.predicate_type
    }

    /// What it is about.
    #[must_use]
    pub fn subjects(&self) -> &[Subject] {
        &self.subjects
    }

    /// The claim.
    #[must_use]
    pub const fn predicate(&self) -> &Map<String, Value> {
        &self.predicate
    }
}

fn unsafe_integer(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => None,
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            magnitude.is_some_and(|magnitude| magnitude > MAX_SAFE_INTEGER).then(|| number.to_string())
        }
        Value::Array(items) => items.iter().find_map(unsafe_integer),
        Value::Object(fields) => fields.values().find_map(unsafe_integer),
    }
}

/// A statement as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    #[serde(rename = "_type")]
    statement_type: String,
    predicate: Map<String, Value>,
    predicate_type: String,
    subject: Vec<WireSubject>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireSubject {
    digest: DigestSet,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestSet {
    sha256: String,
}

impl Wire {
    fn write(statement: &Statement) -> Self {
        let subject = |subject: &Subject| WireSubject {
            digest: DigestSet { sha256: subject.digest.hex() },
            name: subject.name.clone(),
        };
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            predicate: statement.predicate.clone(),
            predicate_type: statement.predicate_type.uri().to_owned(),
            subject: statement.subjects.iter().map(subject).collect(),
        }
    }

    fn read(self) -> Result<Statement, VerifyError> {
        if self.statement_type != STATEMENT_TYPE {
            return Err(VerifyError::WrongStatementType { found: self.statement_type });
        }
        let predicate_type = self.predicate_type.parse()?;
        let subjects = self.subject.into_iter().map(WireSubject::read).collect::<Result<Vec<_>, _>>()?;
        if subjects.is_empty() {
            return Err(VerifyError::NoSubject);
        }
        Ok(Statement { predicate_type, subjects, predicate: self.predicate })
    }
}

impl WireSubject {
    fn read(self) -> Result<Subject, VerifyError> {
        let malformed = |detail: &str| VerifyError::Malformed { part: Part::Statement, detail: detail.to_owned() };
        if self.name.is_empty() {
            return Err(malformed("a subject has no name"));
        }
        let digest =
            format!("sha256:{}", self.digest.sha256).parse().map_err(|error: Error| malformed(error.message()))?;
        Ok(Subject { name: self.name, digest })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn subjects() -> Vec<Subject> {
        vec![Subject::new("api", Digest::of(b"api"))]
    }

    #[test]
    fn the_canonical_form_reads_back() {
        let statement = Statement::new(PredicateType::Deployment, subjects(), json!({"z": 1.5, "a": "é"})).unwrap();
        let bytes = statement.to_canonical().unwrap();
        let text = concat!(
            r#"{"_type":"https://in-toto.io/Statement/v1","predicate":{"a":"é","z":1.5},"#,
            r#""predicateType":"urn:plimsoll:attestation:deployment:v1","subject":[{"digest":{"sha256":"#,
            r#""14c2529eb4498c5d1ffd6915d05bf58a91bdda796af59f41d480d11c099d0479"},"name":"api"}]}"#
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), text);
        assert_eq!(Statement::from_canonical(&bytes).unwrap(), statement);
    }

    #[test]
    fn what_can_not_be_signed_honestly_is_refused() {
        let with = |predicate| Statement::new(PredicateType::Rollback, subjects(), predicate);
        assert!(with(json!({"n": 9_007_199_254_740_991_u64, "m": -9_007_199_254_740_991_i64})).is_ok());
        for bad in [json!([1]), json!({"a": [{"n": 9_007_199_254_740_992_u64}]}), json!({"n": i64::MIN}), json!("x")] {
            assert!(with(bad.clone()).is_err(), "{bad}");
        }
        assert!(Statement::new(PredicateType::Rollback, vec![], json!({})).is_err());
        assert!(Statement::new(PredicateType::Rollback, vec![Subject::new("", Digest::of(b""))], json!({})).is_err());
    }
}
